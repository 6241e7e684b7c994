{#-
    CTEs that end in `placed`: the rows to derive a history from. A key that has
    new rows is either extended or derived again. Extended: all its new rows are
    later than what its open version has seen, so that version, as if it were a
    row of the log, and the new rows tell all that changes. Derived again: a new
    row is not that late, or may be moved in time by a tombstone of an earlier
    batch, and only the whole log can tell what it means. So is every stored key
    while the history lacks a column that was added.
-#}
{% macro history_rows(source, key, columns, operation, seen_through) %}
{%- set keys = key | join(', ') -%}
{%- set kept = columns + ['_op', '_batch_seq', '_row_hash'] -%}
{%- set claim -%}
_batch_seq > {{ claimed('after_seq') }}
        and _batch_seq <= {{ claimed('through_seq') }}
{%- endset -%}
{%- if is_incremental() %}
{%- set stored = adapter.get_columns_in_relation(this)
    | map(attribute='name') | map('lower') | list -%}
{%- set is_complete = not (columns + [seen_through]) | reject('in', stored) | list %}
new_rows as (

    select *
    from {{ source }}
    where
        {{ claim }}

),

touched as (

    select
        {{ keys }},
        min(_source_ts) as _first_ts,
        coalesce(
            min(case when _op = 'D' then _batch_seq end) < max(_batch_seq), false
        ) as _is_moved
    from new_rows
    group by {{ keys }}

),

known as (

    -- The open version of each key, if it has one. `_is_extended` is NULL, not
    -- false: such keys are few, and Postgres expects few NULLs, so it looks
    -- them up in the log by their index.
    select
        {%- for column in columns if is_complete or column in key %}
        {{ 'touched' if column in key else 'history' }}.{{ column }},
        {%- endfor %}
        {%- if is_complete %}
        {{ operation }} as _op,
        history.valid_from,
        history.{{ seen_through }} as _seen_ts,
        history._batch_seq,
        {%- endif %}
        history.version,
        case
            when touched._is_moved then null
            when history.version is null then true
            {%- if is_complete %}
            when history.{{ seen_through }} < touched._first_ts then true
            {%- endif %}
        end as _is_extended
    from touched
    left join {{ this }} as history
        on
            {{ same_key('touched', 'history', key) }}
            and history.is_current

),

late as (

    select source.*
    from known
    inner join {{ source }} as source
        on {{ same_key('known', 'source', key) }}
    where
        known._is_extended is null
        and source._batch_seq <= {{ claimed('through_seq') }}

),

placed as (
    {%- if is_complete %}

    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        _op,
        _batch_seq,
        cast(null as bigint) as _row_hash,
        valid_from as _effective_ts,
        _seen_ts,
        version as _known_version
    from known
    where
        _is_extended
        and version is not null

    union all
    {%- endif %}

    select
        {%- for column in kept %}
        new_rows.{{ column }},
        {%- endfor %}
        new_rows._source_ts as _effective_ts,
        cast(null as {{ warehouse_type('timestamp') }}) as _seen_ts,
        cast(null as integer) as _known_version
    from new_rows
    inner join known
        on {{ same_key('known', 'new_rows', key) }}
    where known._is_extended

    union all

    select
        {%- for column in kept %}
        {{ column }},
        {%- endfor %}
        _effective_ts,
        cast(null as {{ warehouse_type('timestamp') }}) as _seen_ts,
        cast(null as integer) as _known_version
    from (
        {{ placed_rows(source='late', key=key) }}
    ) as late_placed

),
{%- else %}
log as (

    select
        *,
        cast(null as {{ warehouse_type('timestamp') }}) as _seen_ts,
        cast(null as integer) as _known_version
    from {{ source }}
    where
        {{ claim }}

),

placed as (

    {{ placed_rows(source='log', key=key) }}

),
{%- endif %}
{% endmacro %}
