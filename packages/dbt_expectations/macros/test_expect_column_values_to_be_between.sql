{% test expect_column_values_to_be_between(
    model, column_name, min_value=none, max_value=none, row_condition=none,
    strictly=false
) %}
    {{- return(adapter.dispatch(
        'test_expect_column_values_to_be_between', 'dbt_expectations'
    )(model, column_name, min_value, max_value, row_condition, strictly)) -}}
{% endtest %}


{% macro default__test_expect_column_values_to_be_between(
    model, column_name, min_value=none, max_value=none, row_condition=none,
    strictly=false
) %}
{{ dbt_expectations._violations(
    model,
    dbt_expectations._within(column_name, min_value, max_value, strictly),
    row_condition
) }}
{% endmacro %}
