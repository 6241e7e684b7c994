{% test expect_column_values_to_match_regex(
    model, column_name, regex, row_condition=none, is_raw=false, flags=''
) %}
    {{- return(adapter.dispatch(
        'test_expect_column_values_to_match_regex', 'dbt_expectations'
    )(model, column_name, regex, row_condition, is_raw, flags)) -}}
{% endtest %}


{% macro default__test_expect_column_values_to_match_regex(
    model, column_name, regex, row_condition=none, is_raw=false, flags=''
) %}
{{ dbt_expectations._violations(
    model,
    dbt_expectations._matches(column_name, regex, is_raw, flags),
    row_condition
) }}
{% endmacro %}
