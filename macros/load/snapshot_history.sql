{% macro snapshot_history(snapshot, key, columns) %}
{%- do assert_columns(macro='snapshot_history', columns=columns, key=key) %}
with

snapshot as (

    select * from {{ snapshot }}

),

history as (

    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        dbt_valid_from as valid_from,
        dbt_valid_to as valid_to,
        dbt_valid_to is null as is_current,
        is_deleted,
        cast(
            row_number() over (
                partition by {{ key | join(', ') }}
                order by
                    dbt_valid_from,
                    case when dbt_valid_to is null then 1 else 0 end,
                    dbt_valid_to
            ) as integer
        ) as version,
        _batch_seq
    from snapshot

)

select * from history
{% endmacro %}
