{% macro matching(expression, pattern) %}
    {{- return(adapter.dispatch('matching')(
        expression=expression, pattern=pattern
    )) }}
{% endmacro %}

{% macro default__matching(expression, pattern) -%}
    regexp_substr({{ expression }}, '{{ pattern }}')
{%- endmacro %}

{#- A group would be all that Postgres returns, so the pattern is one itself -#}
{% macro postgres__matching(expression, pattern) -%}
    substring({{ expression }} from '({{ pattern }})')
{%- endmacro %}
