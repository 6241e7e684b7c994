{% macro replace_all(expression, pattern, replacement) %}
    {{- return(adapter.dispatch('replace_all')(
        expression=expression, pattern=pattern, replacement=replacement
    )) }}
{% endmacro %}

{% macro default__replace_all(expression, pattern, replacement) -%}
    regexp_replace({{ expression }}, '{{ pattern }}', '{{ replacement }}')
{%- endmacro %}

{#- Without a flag Postgres replaces the first match only -#}
{% macro postgres__replace_all(expression, pattern, replacement) -%}
    regexp_replace({{ expression }}, '{{ pattern }}', '{{ replacement }}', 'g')
{%- endmacro %}
