{% test expression_is_true(model, expression, column_name=none) %}
    {{- return(adapter.dispatch('test_expression_is_true', 'dbt_utils')(
        model, expression, column_name
    )) -}}
{% endtest %}


{% macro default__test_expression_is_true(model, expression, column_name=none) %}
{#- Rows that are only counted need no columns. -#}
select {{ '*' if should_store_failures() else '1 as violation' }}
from {{ model }}
where not ({{ column_name or '' }} {{ expression }})
{% endmacro %}
