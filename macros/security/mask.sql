{#- A class or a type that is not listed here shows nothing. -#}
{% macro mask(column, data_type, pii) %}
    {%- set family = data_type.split('(')[0] | lower -%}
    {%- set masked = none -%}
    {%- if family in ['varchar', 'text'] -%}
        {%- set masked = {
            'name': "left(" ~ column ~ ", 1) || '***'",
            'email': "'***@' || split_part(" ~ column ~ ", '@', 2)",
            'phone': "'***' || right(" ~ column ~ ", 2)",
        }.get(pii) -%}
    {%- elif family == 'date' and pii == 'birth_date' -%}
        {%- set masked = "cast(date_trunc('year', " ~ column ~ ") as date)" -%}
    {%- endif -%}
    {{- return(masked) }}
{% endmacro %}
