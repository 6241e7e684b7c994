{#-
    Each live row's value is an aggregate of another model's live rows: of those whose
    `by` is the row's key, or of all. With a grace, a row is not judged before
    something newer by that much than its last change, on either side, was read: the
    two tables were not read at the same instant.
-#}
{% test equals_aggregate(
    model, column_name, to, function, field, key=[], by=[], grace_minutes=0
) %}
{%- set rule = {
    'column': column_name, 'parent': to, 'function': function, 'field': field,
    'key': key, 'by': by,
} -%}
select
    {%- for name in key %}
    {{ name }},
    {%- endfor %}
    {{ column_name }},
    _aggregate
from {{ model }}
{{ aggregate_join(rule=rule, name='_aggregate') }}
where
    not is_deleted
    and {{ rule_holds(rule=rule, joined='_aggregate') }} = 0.0
    {%- if grace_minutes %}
    and greatest(_source_ts, coalesce(_aggregate_changed_at, _source_ts)) <= (
        select {{ dbt.dateadd('minute', -grace_minutes, 'max(_source_ts)') }}
        from (
            select _source_ts from {{ model }}
            union all
            select _source_ts from {{ to }}
        ) as changes
    )
    {%- endif %}
{% endtest %}
