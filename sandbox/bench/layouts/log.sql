-- The log of 200 batches, three of which are new.

-- rows
create table bench.source as
select
    id * 7919 % ({rows} / 4) as order_id,
    id % 500000 as customer_id,
    'shipped' as status,
    (id % 10000 / 100.0)::numeric(12, 2) as amount,
    'U'::char(1) as _op,
    timestamp '2026-01-01' + id * 200 * interval '1 day' / {rows} as _source_ts,
    localtimestamp as _observed_at,
    1 + id * 200 / {rows} as _batch_seq,
    hashint8extended(id, 0) as _row_hash
from generate_series(0, {rows}::bigint - 1) as id;

create table bench.probe as
select n * ({rows}::bigint / 4000) as id
from generate_series(0, 999) as n;

create table bench.claim as select 197 as after_seq, 200 as through_seq;
create table bench.batch as select * from bench.source where _batch_seq = 200;
update bench.batch set _batch_seq = 201;

-- changes
select;

-- design key, BRIN on sequence and time
create table {table} (like bench.source);
create index on {table} (order_id);
create index on {table} using brin (_batch_seq, _source_ts)
with (pages_per_range = 16, autosummarize = on);

-- design key, BRIN on the sequence
create table {table} (like bench.source);
create index on {table} (order_id);
create index on {table} using brin (_batch_seq)
with (pages_per_range = 16, autosummarize = on);

-- design key
create table {table} (like bench.source);
create index on {table} (order_id);

-- design key, B-tree on the sequence
create table {table} (like bench.source);
create index on {table} (order_id);
create index on {table} (_batch_seq);

-- design partitions of 10 batches, key
create table {table} (like bench.source) partition by range (_batch_seq);
do $$ begin
    for n in 0..20 loop
        execute format(
            'create table {table}_%s partition of {table} '
            'for values from (%s) to (%s)',
            n,
            n * 10 + 1,
            n * 10 + 11
        );
    end loop;
end $$;
create index on {table} (order_id);

-- measure read 3 batches
select sum(_row_hash) from {table}
where
    _batch_seq > (select after_seq from bench.claim)
    and _batch_seq <= (select through_seq from bench.claim);

-- measure 5 minutes
select count(*) from {table}
-- What extraction compares a window with that reaches back 5 minutes.
where
    _batch_seq <= 200
    and _source_ts
    >= timestamp '2026-01-01' + 200 * interval '1 day' - interval '5 minutes';

-- measure 1,000 keys
select sum(found.amount)
from bench.probe
cross join lateral (
    select amount from {table} where order_id = probe.id offset 0
) as found;

-- measure load a batch
insert into {table} table bench.batch;

-- measure delete a batch
delete from {table} where _batch_seq = 200;
