-- The current state of a dimension, a tenth of whose rows change in each round.

-- rows
create table bench.source as
select
    id as customer_id,
    'customer' || id || '@example.com' as email,
    'Customer ' || id as full_name,
    '+31 20 ' || lpad((id % 10000000)::text, 7, '0') as phone,
    (array['NL', 'DE', 'FR', 'BE', 'GB'])[1 + id % 5] as country,
    'City ' || id * 7 % 5000 as city,
    0 as points,
    false as is_deleted,
    timestamp '2026-01-01' + id % 86400 * interval '1 second' as _source_ts,
    1::bigint as _batch_seq
from generate_series(1, {rows}::bigint) as id;

create table bench.probe as
select 1 + n * ({rows}::bigint / 1000) as id
from generate_series(0, 999) as n;

-- changes
create temp table changes as
select
    customer_id,
    email,
    full_name,
    phone,
    country,
    'City ' || customer_id * (7 + {round}) % 5000 as city,
    {round} as points,
    is_deleted,
    _source_ts + ({round} + 1) * interval '1 day' as _source_ts,
    {round} + 2::bigint as _batch_seq
from bench.source
where abs(hashint8(customer_id + {round} * 1000003)) % 10 = 0
order by md5(customer_id::text);

-- design fillfactor 100
create table {table} (like bench.source) with (fillfactor = 100);
create unique index on {table} (customer_id);

-- design fillfactor 90
create table {table} (like bench.source) with (fillfactor = 90);
create unique index on {table} (customer_id);

-- design fillfactor 70
create table {table} (like bench.source) with (fillfactor = 70);
create unique index on {table} (customer_id);

-- design 100, index on a stable column
create table {table} (like bench.source) with (fillfactor = 100);
create unique index on {table} (customer_id);
create index on {table} (country);

-- design 100, index on a changed column
create table {table} (like bench.source) with (fillfactor = 100);
create unique index on {table} (customer_id);
create index on {table} (city);

-- design 90, index on a changed column
create table {table} (like bench.source) with (fillfactor = 90);
create unique index on {table} (customer_id);
create index on {table} (city);

-- measure merge
merge into {table} as dest
using changes as source on dest.customer_id = source.customer_id
when matched then update set
    email = source.email,
    full_name = source.full_name,
    phone = source.phone,
    country = source.country,
    city = source.city,
    points = source.points,
    is_deleted = source.is_deleted,
    _source_ts = source._source_ts,
    _batch_seq = source._batch_seq
when not matched then insert values (source.*);

-- measure scan
select sum(points) from {table};

-- measure 1,000 keys
select sum(found.points)
from bench.probe
cross join lateral (
    select points from {table} where customer_id = probe.id offset 0
) as found;

-- measure one city
select count(*) from {table} where city = 'City 42';
