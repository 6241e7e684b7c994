{% macro full(source, columns) %}
{%- do assert_columns(macro='full', columns=columns) %}
with

snapshot as (

    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        cast(false as boolean) as is_deleted,
        _source_ts,
        _batch_seq
    from {{ source }}
    where
        _batch_seq = {{ claimed('snapshot_seq') }}
        and _batch_seq > {{ claimed('after_seq') }}

)

select * from snapshot
{% endmacro %}
