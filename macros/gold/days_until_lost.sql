{% macro days_until_lost() -%}
    {{- return(90) }}
{%- endmacro %}
