{#-
    As dbt's `relationships`, but a row that is younger than `grace_minutes` before
    the newest one is not judged yet: what it refers to may still be on its way.
    Measured on the rows' own times, so that the same rows get the same verdict
    whenever they are looked at.
-#}
{% test relationships_after_grace(model, column_name, to, field, grace_minutes) %}
with

newest as (

    select max(_source_ts) as source_ts
    from {{ model }}

),

children as (

    select {{ column_name }} as reference
    from {{ model }}
    where
        {{ column_name }} is not null
        and _source_ts <= (
            select {{ dbt.dateadd('minute', -grace_minutes, 'source_ts') }}
            from newest
        )

),

parents as (

    select {{ field }} as reference
    from {{ to }}

)

select children.reference
from children
left join parents
    on children.reference = parents.reference
where parents.reference is null
{% endtest %}
