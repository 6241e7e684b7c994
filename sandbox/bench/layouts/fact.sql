-- Three years of a fact; each round brings a day and corrects as many rows.

-- rows
create table bench.source as
select
    id as order_id,
    date '2024-01-01' + (id * 1095 / {rows})::int as ordered_on,
    id % 500000 as customer_id,
    'shipped' as status,
    (id % 10000 / 100.0)::numeric(12, 2) as amount,
    false as is_deleted,
    timestamp '2024-01-01' + (id * 1095 / {rows})::int * interval '1 day'
        as _source_ts,
    1::bigint as _batch_seq
from generate_series(0, {rows}::bigint - 1) as id;

create table bench.probe as
select n * ({rows}::bigint / 1000) as id
from generate_series(0, 999) as n;

-- changes
create temp table changes as
select
    {rows} + {round} * ({rows} / 1095) + n as order_id,
    date '2024-01-01' + 1095 + {round} as ordered_on,
    n % 500000 as customer_id,
    'new' as status,
    1.00::numeric(12, 2) as amount,
    false as is_deleted,
    localtimestamp as _source_ts,
    {round} + 2::bigint as _batch_seq
from generate_series(0, {rows}::bigint / 1095 - 1) as n
union all
select
    order_id,
    ordered_on,
    customer_id,
    'paid',
    amount,
    is_deleted,
    localtimestamp,
    {round} + 2
from bench.source
where order_id in (
    -- Nine in ten of the last two months, one of any time.
    select (
        case
            when n % 10 = 0 then {rows} * random()
            else {rows} * (1 - 60.0 / 1095 * random())
        end
    )::bigint
    from generate_series(1, {rows}::bigint / 1095) as n
);

-- design key
create table {table} (like bench.source);
create unique index on {table} (order_id);

-- design key, BRIN on the date
create table {table} (like bench.source);
create unique index on {table} (order_id);
create index on {table} using brin (ordered_on)
with (pages_per_range = 16, autosummarize = on);

-- design key, B-tree on the date
create table {table} (like bench.source);
create unique index on {table} (order_id);
create index on {table} (ordered_on);

-- design months, merge by key
-- design months, merge by key and date
create table {table} (like bench.source) partition by range (ordered_on);
do $$ begin
    for n in 0..37 loop
        execute format(
            'create table {table}_%s partition of {table} '
            'for values from (%L) to (%L)',
            n,
            date '2024-01-01' + n * interval '1 month',
            date '2024-01-01' + (n + 1) * interval '1 month'
        );
    end loop;
end $$;
create unique index on {table} (order_id, ordered_on);

-- measure merge
merge into {table} as dest
using changes as source on dest.order_id = source.order_id
when matched then update set
    status = source.status,
    _source_ts = source._source_ts,
    _batch_seq = source._batch_seq
when not matched then insert values (source.*);

-- measure merge of months, merge by key and date
merge into {table} as dest
using changes as source
    on dest.order_id = source.order_id and dest.ordered_on = source.ordered_on
when matched then update set
    status = source.status,
    _source_ts = source._source_ts,
    _batch_seq = source._batch_seq
when not matched then insert values (source.*);

-- measure a month
select sum(amount) from {table}
where ordered_on >= '2025-06-01' and ordered_on < '2025-07-01';

-- measure a day
select sum(amount) from {table} where ordered_on = '2025-06-15';

-- measure last day
select sum(amount) from {table} where ordered_on = '2026-12-30';

-- measure 1,000 keys
select sum(found.amount)
from bench.probe
cross join lateral (
    select amount from {table} where order_id = probe.id offset 0
) as found;

-- measure drop a month
delete from {table} where ordered_on < '2024-02-01';

-- measure drop a month of months, merge by key
-- measure drop a month of months, merge by key and date
drop table {table}_0;
