{% macro instant_text(expression) %}
    {{- return(adapter.dispatch('instant_text')(expression=expression)) }}
{% endmacro %}

{% macro default__instant_text(expression) -%}
    to_char({{ expression }}, 'YYYY-MM-DD HH24:MI:SS.FF6')
{%- endmacro %}

{% macro postgres__instant_text(expression) -%}
    to_char({{ expression }}, 'YYYY-MM-DD HH24:MI:SS.US')
{%- endmacro %}
