{% macro initial_capitals(expression) %}
    {{- return(adapter.dispatch('initial_capitals')(expression=expression)) }}
{% endmacro %}

{#- Snowflake needs the characters between words -#}
{% macro default__initial_capitals(expression) -%}
    initcap({{ expression }}, ' -.,''’')
{%- endmacro %}

{% macro postgres__initial_capitals(expression) -%}
    initcap({{ expression }})
{%- endmacro %}
