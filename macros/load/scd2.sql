{% macro scd2(source, key, columns, tracked) %}
    {{- assert_columns(
        macro='scd2', columns=columns, key=key, tracked=tracked
    ) -}}
    {{- return(adapter.dispatch('scd2')(
        source=source, key=key, columns=columns, tracked=tracked
    )) }}
{% endmacro %}

{#- All windows but the first follow one order, so one sort serves them all -#}
{% macro default__scd2(source, key, columns, tracked) %}
{%- set by_time -%}
partition by {{ key | join(', ') }} order by effective_ts
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
        lead(effective_ts) over (
            {{ by_time }}, _batch_seq, _row_hash, _op
        ) as next_ts
    from placed

),

compared as (

    -- of rows that take effect at one instant, the last one observed holds
    select
        *,
        first_value(effective_ts) over ({{ by_time }}) as first_ts,
        first_value(known_version) over ({{ by_time }}) as first_version,
        case
            when next_ts is null then true
            when lead(_op) over ({{ by_time }}) = 'D' then _op <> 'D'
            when _op = 'D' then true
            {%- for column in tracked %}
            when {{ column }} is distinct from lead({{ column }}) over ({{ by_time }})
                then true
            {%- endfor %}
            else false
        end as is_last
    from observed
    where next_ts is distinct from effective_ts

),

history as (

    -- a version begins where the one before it ends; columns that are not
    -- tracked show their last value within it
    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        coalesce(lag(next_ts) over ({{ by_time }}), first_ts) as valid_from,
        next_ts as valid_to,
        next_ts is null as is_current,
        _op = 'D' as is_deleted,
        cast(
            row_number() over ({{ by_time }}) + coalesce(first_version, 1) - 1
            as integer
        ) as version,
        coalesce(seen_ts, effective_ts) as _source_ts,
        _batch_seq
    from compared
    where is_last

)

select * from history
{% endmacro %}
