{#- All windows but the first follow one order, so one sort serves them all -#}
{% macro scd2(source, key, columns, tracked) %}
{%- do assert_columns(
    macro='scd2', columns=columns, key=key, tracked=tracked
) %}
{%- set by_time -%}
partition by {{ key | join(', ') }} order by _effective_ts
{%- endset -%}
with
{{ history_rows(
    source=source,
    key=key,
    columns=columns,
    operation="case when is_deleted then 'D' else 'U' end",
    seen_through='_source_ts'
) }}
observed as (

    select
        *,
        lead(_effective_ts) over (
            {{ by_time }}, _batch_seq, _row_hash, _op
        ) as _next_ts
    from placed

),

compared as (

    -- of rows that take effect at one instant, the last one observed holds
    select
        *,
        first_value(_effective_ts) over ({{ by_time }}) as _first_ts,
        first_value(_known_version) over ({{ by_time }}) as _first_version,
        case
            when _next_ts is null then true
            when lead(_op) over ({{ by_time }}) = 'D' then _op <> 'D'
            when _op = 'D' then true
            {%- for column in tracked %}
            when {{ column }} is distinct from lead({{ column }}) over ({{ by_time }})
                then true
            {%- endfor %}
            else false
        end as _is_last
    from observed
    where _next_ts is distinct from _effective_ts

),

history as (

    -- a version begins where the one before it ends; columns that are not
    -- tracked show their last value within it
    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        coalesce(lag(_next_ts) over ({{ by_time }}), _first_ts) as valid_from,
        _next_ts as valid_to,
        _next_ts is null as is_current,
        _op = 'D' as is_deleted,
        cast(
            row_number() over ({{ by_time }}) + coalesce(_first_version, 1) - 1
            as integer
        ) as version,
        coalesce(_seen_ts, _effective_ts) as _source_ts,
        _batch_seq
    from compared
    where _is_last

)

select * from history
{% endmacro %}
