{% test not_null_proportion(
    model, column_name, at_least, at_most=1, group_by_columns=[]
) %}
    {{- return(adapter.dispatch('test_not_null_proportion', 'dbt_utils')(
        model, column_name, at_least, at_most, group_by_columns
    )) -}}
{% endtest %}


{% macro default__test_not_null_proportion(
    model, column_name, at_least, at_most=1, group_by_columns=[]
) %}
{%- set groups = group_by_columns | join(', ') -%}
with shares as (
    select
        {% if groups %}
        {{ groups }},
        {% endif %}
        cast(count({{ column_name }}) as numeric) / nullif(count(*), 0)
            as not_null_proportion
    from {{ model }}
    {% if groups %}
    group by {{ groups }}
    {% endif %}
)

select *
from shares
where
    not_null_proportion < {{ at_least }}
    or not_null_proportion > {{ at_most }}
{% endmacro %}
