{#- A row that was first read after a tombstone takes effect no earlier than it -#}
select {{ columns }}
from (
    select distinct on ({{ key }}) *
    from (
        select
            *,
            greatest(
                _source_ts,
                max(_source_ts) filter (where _op = 'D') over (
                    partition by {{ key }}
                    order by _batch_seq, _source_ts, _row_hash, _op
                    rows between unbounded preceding and 1 preceding
                )
            ) as _effective_ts
        from {{ relation }}
        where _batch_seq <= {{ through }} and {{ where }}
    ) as _log
    order by
        {{ key }}, _effective_ts desc, _batch_seq desc, _row_hash desc, _op desc
) as _latest
