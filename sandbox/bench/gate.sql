-- A batch of so many customers in a log of the demo's columns.
create schema if not exists bronze;
create table bronze.shop__customers as
select
    id as customer_id,
    'customer' || id || '@example.com' as email,
    ('Customer ' || id)::varchar(120) as full_name,
    ('+31 20 ' || lpad((id % 10000000)::text, 7, '0'))::varchar(32) as phone,
    (array['NL', 'DE', 'FR', 'BE', 'GB'])[1 + id % 5]::varchar(2) as country,
    ('City ' || id % 5000)::varchar(80) as city,
    id % 2 = 0 as marketing_opt_in,
    (id % 10000)::integer as loyalty_points,
    '{"theme": "dark"}'::json as preferences,
    timestamp '2025-01-01' + id % 86400 * interval '1 second' as created_at,
    timestamp '2026-01-01' + id % 86400 * interval '1 second' as updated_at,
    null::timestamp as deleted_at,
    'U' as _op,
    timestamp '2026-01-01' as _source_ts,
    timestamp '2026-01-02' as _observed_at,
    1::bigint as _batch_seq,
    hashint8extended(id, 0) as _row_hash
from generate_series(1, {rows}::bigint) as id;
create index on bronze.shop__customers (customer_id);
create index on bronze.shop__customers using brin (_batch_seq, _source_ts);
analyze bronze.shop__customers;
