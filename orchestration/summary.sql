-- name: run
-- The run that is asked for, or the newest.
select
    run_id,
    command,
    state,
    started_at,
    ended_at,
    coalesce(steps, '{}') as steps,
    error,
    retries
from audit.run
where run_id = %(run_id)s or %(run_id)s::text is null
order by started_at desc
limit 1;

-- name: lines
with

batches as (

    select *
    from audit.batch
    where run_id = %(run_id)s

),

newest as (

    select distinct on (table_id)
        table_id,
        batch_id,
        batch_seq,
        state,
        reason
    from batches
    order by table_id asc, batch_seq desc

),

silver as (

    select distinct on (ledger.table_id)
        ledger.table_id,
        ledger.right_rows
    from audit.ledger
    inner join audit.run on ledger.run_id = run.run_id
    where
        ledger.identity = %(of_silver)s
        and run.run_id <= %(run_id)s
    order by ledger.table_id asc, run.started_at desc

)

select
    batches.table_id,
    coalesce(sum(batches.rows_read), 0)::bigint as rows_read,
    coalesce(sum(batches.rows_written), 0)::bigint as rows_written,
    coalesce(sum(batches.rows_unchanged), 0)::bigint as rows_unchanged,
    coalesce(sum(batches.rows_rejected), 0)::bigint as rows_rejected,
    coalesce(sum(batches.rows_deleted), 0)::bigint as rows_deleted,
    max(silver.right_rows) as silver_rows,
    max(newest.state) as state,
    max(newest.reason) as reason,
    max(newest.batch_id) as batch_id,
    max(newest.batch_seq) as batch_seq,
    (
        select count(*)
        from audit.quarantine
        where
            quarantine.table_id = batches.table_id
            and quarantine.batch_seq = max(newest.batch_seq)
    ) as rows_quarantined,
    sum(batches.seconds) as seconds
from batches
inner join newest on batches.table_id = newest.table_id
left join silver on batches.table_id = silver.table_id
group by batches.table_id
order by batches.table_id;

-- name: schema_changes
select
    table_id,
    column_name,
    change,
    was,
    now,
    action,
    message
from audit.schema_change
where run_id = %(run_id)s
order by changed_at;

-- name: probe
select
    role_name,
    relation,
    column_name,
    pii,
    holds,
    message
from audit.probe
where run_id = %(run_id)s
order by probed_at, relation;

-- name: failed_rules
select
    layer,
    table_id,
    rule_id,
    severity,
    observed,
    expected,
    failing_rows,
    batch_seq
from audit.dq_result
where run_id = %(run_id)s and not passed
order by severity, table_id, layer, rule_id;

-- name: rules
select count(*)
from audit.dq_result
where run_id = %(run_id)s;

-- name: unbalanced
select
    table_id,
    message
from audit.alert
where kind = 'table_unbalanced' and closed_at is null
order by table_id;

-- name: busy
select table_id
from audit.run_table
where run_id = %(run_id)s and state = 'busy'
order by table_id;
