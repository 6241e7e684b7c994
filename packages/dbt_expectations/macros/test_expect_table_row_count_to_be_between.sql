{% test expect_table_row_count_to_be_between(
    model, min_value=none, max_value=none, group_by=none, row_condition=none,
    strictly=false
) %}
    {{- return(adapter.dispatch(
        'test_expect_table_row_count_to_be_between', 'dbt_expectations'
    )(model, min_value, max_value, group_by, row_condition, strictly)) -}}
{% endtest %}


{% macro default__test_expect_table_row_count_to_be_between(
    model, min_value=none, max_value=none, group_by=none, row_condition=none,
    strictly=false
) %}
{{ dbt_expectations._violations(
    model,
    dbt_expectations._within('count(*)', min_value, max_value, strictly),
    row_condition,
    group_by
) }}
{% endmacro %}
