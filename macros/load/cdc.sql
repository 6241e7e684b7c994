{% macro cdc(source, key, columns) %}
{%- do assert_columns(macro='cdc', columns=columns, key=key) %}
{%- set keys = key | join(', ') -%}
{%- set by_time -%}
partition by {{ keys }} order by _effective_ts, _batch_seq, _row_hash, _op
{%- endset -%}
with
{{ history_rows(
    source=source,
    key=key,
    columns=columns,
    operation='op',
    seen_through='valid_from'
) }}
repeats as (

    -- what is said twice in a row is one change; what lies between makes it two
    select
        *,
        coalesce(
            _effective_ts = lag(_effective_ts) over ({{ by_time }})
            and _op = lag(_op) over ({{ by_time }})
            and _row_hash = lag(_row_hash) over ({{ by_time }}),
            false
        ) as _is_repeat
    from placed

),

changes as (

    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        case
            when _known_version is not null then _op
            when _op = 'D' then 'D'
            when lag(_op, 1, 'D') over ({{ by_time }}) = 'D' then 'I'
            else 'U'
        end as op,
        _effective_ts as valid_from,
        lead(_effective_ts) over ({{ by_time }}) as valid_to,
        lead(_effective_ts) over ({{ by_time }}) is null as is_current,
        _op = 'D' as is_deleted,
        cast(
            sum(coalesce(_known_version, 1)) over (
                {{ by_time }} rows between unbounded preceding and current row
            ) as integer
        ) as version,
        _batch_seq
    from repeats
    where not _is_repeat

)

select * from changes
{% endmacro %}
