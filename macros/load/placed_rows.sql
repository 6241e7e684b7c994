{% macro placed_rows(source, key) -%}
    select
        *,
        greatest(
            _source_ts,
            coalesce(
                max(case when _op = 'D' then _source_ts end) over (
                    partition by {{ key | join(', ') }}
                    order by _batch_seq, _source_ts, _row_hash, _op
                    rows between unbounded preceding and 1 preceding
                ),
                _source_ts
            )
        ) as _effective_ts
    from {{ source }}
{%- endmacro %}
