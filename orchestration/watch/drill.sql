-- name: newest
-- By table its newest batch.
select
    table_id,
    max(batch_seq)
from audit.batch
group by table_id;

-- name: forget
-- What was not loaded when the backup was made.
delete from audit.batch
where table_id = %(table_id)s and state in ('planned', 'extracted');

-- name: adopt
insert into audit.batch (
    table_id,
    batch_seq,
    batch_id,
    run_id,
    state,
    fingerprint,
    window_low,
    window_high,
    manifest_key
)
values (
    %(table_id)s,
    %(batch_seq)s,
    %(batch_id)s,
    %(run_id)s,
    'planned',
    %(fingerprint)s,
    %(window_low)s,
    %(window_high)s,
    %(key)s
);

-- name: tables
select
    table_schema,
    table_name
from information_schema.tables
where table_schema = any(%(schemas)s) and table_type = 'BASE TABLE'
order by table_schema, table_name;

-- name: checksum
-- How many rows, and a sum over them that does not depend on their order.
select
    count(*),
    coalesce(sum(hashtextextended(row::text, 0)), 0)::text
from {name} as row
where {released};

-- name: record
insert into audit.drill_result
values (
    %(drill_id)s,
    %(backup)s,
    %(backup_at)s,
    %(began)s,
    %(restored_at)s,
    %(replayed_at)s,
    %(ended_at)s,
    %(batches)s,
    %(compared)s,
    %(differing)s,
    nullif(%(different)s, '')
);
