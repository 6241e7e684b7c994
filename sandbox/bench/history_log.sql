-- The log of `keys` customers, each with `versions` versions, a batch a round;
-- then the batch that touches `touched` of them, in no order: 10 parts of 16 are
-- changed, 5 new, 1 deleted. Of
-- 100 of its rows `late` are older than what the log already has.
insert into bronze.bench__customers
with wanted as (

    select
        id,
        round,
        round as day,
        'U' as op
    from generate_series(1, {versions}) as round
    cross join generate_series(1, {keys}::bigint) as id
    union all
    (
        select
            case
                when part % 16 < 5 then {keys} + part
                else 1 + part * ({keys} / {touched})
            end as id,
            {versions} + 1 as round,
            case
                when part % 100 < {late} then 0 else {versions} + 1
            end as day,
            case part % 16 when 15 then 'D' else 'U' end as op
        from generate_series(0, {touched}::bigint - 1) as part
        order by md5(part::text)
    )

)

select
    id as customer_id,
    'customer' || id || '@example.com' as email,
    'Customer ' || id as full_name,
    '+31 20 ' || lpad((id % 10000000)::text, 7, '0') as phone,
    (array['NL', 'DE', 'FR', 'BE', 'GB'])[1 + id % 5] as country,
    'City ' || (id * 7 + round * 13) % 5000 as city,
    id % 2 = 0 as marketing_opt_in,
    round as loyalty_points,
    jsonb_build_object('theme', (array['dark', 'light'])[1 + id % 2])
        as preferences,
    timestamp '2025-01-01' + id % 86400 * interval '1 second' as created_at,
    timestamp '2026-01-01' + day * interval '1 day'
    + id % 86400 * interval '1 second' as updated_at,
    op as _op,
    timestamp '2026-01-01' + day * interval '1 day'
    + id % 86400 * interval '1 second' as _source_ts,
    timestamp '2026-01-02' + round * interval '1 day' as _observed_at,
    round as _batch_seq,
    hashtextextended(id || '/' || round, 0) as _row_hash
from wanted
