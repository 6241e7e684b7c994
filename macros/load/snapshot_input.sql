{#-
    dbt's snapshot tells the versions of a key apart by their time, so what takes
    effect together is parted: each row takes effect a microsecond after the one
    before it at the earliest. The rows n and m, m - n apart, are then m - n
    microseconds apart at least, which one running maximum sees to.
-#}
{% macro snapshot_input(source, key, columns) %}
{%- do assert_columns(macro='snapshot_input', columns=columns, key=key) %}
{%- set by_time -%}
partition by {{ key | join(', ') }}
                order by _effective_ts, _batch_seq, _row_hash, _op
{%- endset -%}
with

placed as (

    {{ placed_rows(source=source, key=key) }}

),

numbered as (

    select
        *,
        cast(
            row_number() over (
                {{ by_time }}
            ) as integer
        ) as _position
    from placed

),

parted as (

    select
        {%- for column in columns + ['_op', '_batch_seq', '_row_hash'] %}
        {{ column }},
        {%- endfor %}
        {{ dbt.dateadd(
            'microsecond',
            '_position',
            'max(' ~ dbt.dateadd('microsecond', '-_position', '_effective_ts')
            ~ ') over (' ~ by_time ~ ')'
        ) }} as _effective_ts
    from numbered

),

{{ latest_rows(source='parted', key=key, columns=columns) }}

select * from latest
{% endmacro %}
