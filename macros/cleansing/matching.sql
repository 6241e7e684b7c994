{% macro matching(expression, pattern) %}
    {{- return(adapter.dispatch('matching')(
        expression=expression, pattern=pattern
    )) }}
{% endmacro %}

{% macro default__matching(expression, pattern) -%}
    regexp_substr({{ expression }}, '{{ pattern }}')
{%- endmacro %}

{#- Postgres returns the group only, so the whole pattern is one -#}
{% macro postgres__matching(expression, pattern) -%}
    substring({{ expression }} from '({{ pattern }})')
{%- endmacro %}
