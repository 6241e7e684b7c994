{% macro typed(expression, type) %}
    {{- return(adapter.dispatch('typed')(expression=expression, type=type)) }}
{% endmacro %}

{% macro default__typed(expression, type) -%}
    cast({{ expression }} as {{ warehouse_type(type) }})
{%- endmacro %}

{#- A text that is cast to VARIANT is a string, not the JSON in it -#}
{% macro snowflake__typed(expression, type) -%}
    {%- if type == 'json' -%}
        parse_json({{ expression }})
    {%- else -%}
        {{ default__typed(expression, type) }}
    {%- endif -%}
{%- endmacro %}
