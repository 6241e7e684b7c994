{% macro scd2(source, key, columns, tracked) %}
    {{- return(adapter.dispatch('scd2')(
        source=source, key=key, columns=columns, tracked=tracked
    )) }}
{% endmacro %}

{% macro default__scd2(source, key, columns, tracked) %}
{%- set keys = key | join(', ') -%}
{%- set by_time = 'partition by ' ~ keys ~ ' order by effective_ts' -%}
{%- set by_version = 'partition by ' ~ keys ~ ' order by version_number' -%}
with
{{ claimed_rows(source=source, key=key) }}
winners as (

    -- of rows that take effect at one instant, the last one observed holds
    select
        *,
        row_number() over (
            partition by {{ keys }}, effective_ts
            order by _batch_seq desc, _row_hash desc, _op desc
        ) as last_observed_first
    from placed

),

compared as (

    select
        *,
        case
            when lag(_op) over ({{ by_time }}) is null then 1
            when (lag(_op) over ({{ by_time }}) = 'D') <> (_op = 'D') then 1
            when _op = 'D' then 0
            {%- for column in tracked %}
            when {{ column }} is distinct from lag({{ column }}) over ({{ by_time }})
                then 1
            {%- endfor %}
            else 0
        end as is_change
    from winners
    where last_observed_first = 1

),

numbered as (

    select
        *,
        sum(is_change) over (
            partition by {{ keys }}
            order by effective_ts
            rows between unbounded preceding and current row
        ) as version_number
    from compared

),

versions as (

    -- columns that are not tracked show their last value within the version
    select
        *,
        min(effective_ts) over (
            partition by {{ keys }}, version_number
        ) as version_start,
        row_number() over (
            partition by {{ keys }}, version_number
            order by effective_ts desc
        ) as last_of_version_first
    from numbered

),

history as (

    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        version_start as valid_from,
        lead(version_start) over ({{ by_version }}) as valid_to,
        lead(version_start) over ({{ by_version }}) is null as is_current,
        _op = 'D' as is_deleted,
        cast(version_number as integer) as version,
        _batch_seq
    from versions
    where last_of_version_first = 1

)

select * from history
{% endmacro %}
