{#-
    A number begins with +, with the international prefix, with the trunk
    prefix, or with none. The result is NULL if it is not a number.
-#}
{% macro international_number(typed, plan) %}
    {%- set code = "rtrim(substr(" ~ plan ~ ", 1, 3))" -%}
    {%- set trunk = "rtrim(substr(" ~ plan ~ ", 4, 2))" -%}
    {%- set abroad = "rtrim(substr(" ~ plan ~ ", 6, 4))" -%}
    {%- set full -%}
    case
        when {{ typed }} like '+%' then {{ typed }}
        when {{ typed }} like {{ abroad }} || '%'
            then '+' || substr({{ typed }}, length({{ abroad }}) + 1)
        when {{ typed }} like '00%' then '+' || substr({{ typed }}, 3)
        when {{ typed }} like {{ trunk }} || '%'
            then '+' || {{ code }} || substr({{ typed }}, length({{ trunk }}) + 1)
        else '+' || {{ code }} || {{ typed }}
    end
    {%- endset -%}
    {#- North America's and Russia's have one length; the others 8 to 15 digits -#}
    {{- return(matching(
        expression=full,
        pattern='^[+](1[2-9][0-9]{9}|7[0-9]{10}|[2-689][0-9]{7,14})$',
    )) }}
{% endmacro %}
