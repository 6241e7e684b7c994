{% macro use_warehouse(purpose) %}
    {{- return(adapter.dispatch('use_warehouse')(purpose=purpose)) }}
{% endmacro %}

{#- A single server has no warehouse to choose -#}
{% macro default__use_warehouse(purpose) %}
{% endmacro %}

{% macro snowflake__use_warehouse(purpose) %}
    {%- set variable = 'SNOWFLAKE_' ~ purpose | upper ~ '_WAREHOUSE' -%}
    {%- set name = env_var(variable, '') or target.warehouse -%}
    {%- if name -%}
        {%- do run_query('use warehouse ' ~ name) -%}
    {%- endif -%}
    {{ return('') }}
{% endmacro %}
