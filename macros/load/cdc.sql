{% macro cdc(source, key, columns) %}
    {{- assert_columns(macro='cdc', columns=columns, key=key) -}}
    {{- return(adapter.dispatch('cdc')(
        source=source, key=key, columns=columns
    )) }}
{% endmacro %}

{% macro default__cdc(source, key, columns) %}
{%- set keys = key | join(', ') -%}
{%- set by_time -%}
partition by {{ keys }} order by effective_ts, _batch_seq, _row_hash, _op
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

    select
        *,
        row_number() over (
            partition by {{ keys }}, effective_ts, _op, _row_hash
            order by _batch_seq
        ) as observation
    from placed

),

changes as (

    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        case
            when known_version is not null then _op
            when _op = 'D' then 'D'
            when lag(_op, 1, 'D') over ({{ by_time }}) = 'D' then 'I'
            else 'U'
        end as op,
        effective_ts as valid_from,
        lead(effective_ts) over ({{ by_time }}) as valid_to,
        lead(effective_ts) over ({{ by_time }}) is null as is_current,
        _op = 'D' as is_deleted,
        cast(
            sum(coalesce(known_version, 1)) over (
                {{ by_time }} rows between unbounded preceding and current row
            ) as integer
        ) as version,
        _batch_seq
    from repeats
    where observation = 1

)

select * from changes
{% endmacro %}
