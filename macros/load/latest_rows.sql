{#- CTE `latest` from CTE `source`: the newest row of each key -#}
{% macro latest_rows(source, key, columns) %}
ranked as (

    select
        *,
        row_number() over (
            partition by {{ key | join(', ') }}
            order by _effective_ts desc, _batch_seq desc, _row_hash desc, _op desc
        ) as _newest_first
    from {{ source }}

),

latest as (

    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        _op = 'D' as is_deleted,
        _effective_ts as _source_ts,
        _batch_seq
    from ranked
    where _newest_first = 1

)
{% endmacro %}
