-- The alerts whose condition holds now, one row per kind and table.
create or replace view audit.alert_due as
with

newest_batch as (

    select distinct on (table_id)
        table_id,
        run_id,
        batch_seq,
        state,
        reason,
        planned_at
    from audit.batch
    where state in ('released', 'rejected', 'superseded')
    order by table_id asc, batch_seq desc

),

failed_run as (

    select
        run_id,
        command,
        orchestrated_by,
        state,
        error,
        started_at
    from audit.run
    where state <> 'running'
    order by ended_at desc
    limit 1

),

aged as (

    select
        source_table.table_id,
        source_table.warn_minutes,
        source_table.error_minutes,
        table_state.observed_at at time zone 'utc' as read_at
    from audit.source_table
    inner join audit.table_state
        on source_table.table_id = table_state.table_id

),

-- When a table was last seen to be as its source: by `reconcile`, or by a
-- run that read it whole and lost nothing up to silver.
compared as (

    select
        table_id,
        compared_at
    from audit.reconciliation
    where is_equal

    union all

    select
        ledger.table_id,
        max(run.started_at)
    from audit.ledger
    inner join audit.run on ledger.run_id = run.run_id
    inner join audit.source_table
        on ledger.table_id = source_table.table_id
    where source_table.load_type = 'full'
    group by ledger.table_id, ledger.run_id
    having
        bool_and(ledger.holds)
        and bool_or(
            ledger.identity = 'live keys of the log = live keys of silver'
        )

),

equal as (

    select
        table_id,
        max(compared_at) as compared_at
    from compared
    group by table_id

),

-- A table that lost rows once is trusted again when it was compared.
unbalanced as (

    select distinct on (ledger.table_id)
        ledger.run_id,
        ledger.table_id,
        ledger.identity,
        ledger.left_rows,
        ledger.right_rows,
        ledger.sample,
        run.started_at,
        source_table.load_type
    from audit.ledger
    inner join audit.run on ledger.run_id = run.run_id
    left join audit.source_table
        on ledger.table_id = source_table.table_id
    left join equal on ledger.table_id = equal.table_id
    where
        not ledger.holds
        and (
            equal.compared_at is null
            or equal.compared_at < run.started_at
        )
    order by ledger.table_id asc, run.started_at desc, ledger.identity asc

)

select
    'table_unbalanced' as kind,
    run_id,
    table_id,
    null::bigint as batch_seq,
    'block' as severity,
    format(
        '%s: %s ≠ %s%s. Rows are not accounted for: type `./seedbed run`, '
        'then `%s`, which closes this once all is equal',
        identity,
        left_rows,
        right_rows,
        ' (' || sample || ')',
        case load_type
            when 'full' then './seedbed run'
            else './seedbed reconcile --tables ' || table_id
        end
    ) as message,
    started_at as occurred_at
from unbalanced

union all

select
    'table_blocked',
    run_id,
    table_id,
    batch_seq,
    'block',
    reason,
    planned_at
from newest_batch
where state = 'rejected'

union all

select
    'run_failed',
    run_id,
    null,
    null,
    'block',
    format(
        '%s failed: %s',
        command || coalesce(' (' || orchestrated_by || ')', ''),
        coalesce(nullif(split_part(error, E'\n', 1), ''), 'see its log')
    ),
    started_at
from failed_run
where state = 'failed'

union all

select
    'table_stale',
    null,
    table_id,
    null,
    case
        when
            read_at + error_minutes * interval '1 minute'
            < clock_timestamp() then 'block'
        else 'warn'
    end,
    format(
        'what is released was read at %s UTC; %s minutes at most are promised',
        to_char(read_at at time zone 'utc', 'YYYY-MM-DD HH24:MI'),
        warn_minutes
    ),
    read_at + warn_minutes * interval '1 minute'
from aged
where read_at + warn_minutes * interval '1 minute' < clock_timestamp()

union all

-- It is over once the run that was late has ended.
select
    alert.kind,
    alert.run_id,
    alert.table_id,
    alert.batch_seq,
    alert.severity,
    alert.message,
    alert.occurred_at
from audit.alert
inner join audit.run on alert.run_id = run.run_id
where
    alert.kind = 'deadline_missed'
    and alert.closed_at is null
    and run.state = 'running';
