{% macro days_until_lost() %}
    {{- return(adapter.dispatch('days_until_lost')()) }}
{% endmacro %}

{% macro default__days_until_lost() -%}
    {{- return(90) }}
{%- endmacro %}
