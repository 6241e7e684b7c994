-- Every metric that the control tables give, a row a sample: its name, what it
-- means with its unit, labels and value. A name that ends in _total is that of
-- a counter, which only grows; all others are gauges, as of now.
with

tables as (

    select
        source_table.table_id,
        source_table.timezone,
        source_table.warn_minutes,
        source_table.error_minutes,
        table_state.observed_at,
        table_state.released_high
    from audit.source_table
    left join audit.table_state on source_table.table_id = table_state.table_id

),

-- Batches of these states were read and keep their counts.
counted as (

    select *
    from audit.batch
    where state in ('loaded', 'released', 'rejected', 'superseded')

),

newest_batch as (

    select distinct on (table_id)
        table_id,
        state
    from audit.batch
    order by table_id asc, batch_seq desc

),

last_run as (

    select *
    from audit.run
    where ended_at is not null
    order by ended_at desc
    limit 1

),

-- The newest run that has checked a table in a layer.
checked as (

    select
        result.table_id,
        result.layer,
        result.severity,
        result.passed,
        dense_rank() over (
            partition by result.table_id, result.layer
            order by run.started_at desc
        ) as age
    from audit.dq_result as result
    inner join audit.run on result.run_id = run.run_id

),

score as (

    select distinct on (table_id) *
    from audit.quality_score
    order by table_id asc, scored_at desc

),

delay as (

    select distinct on (batch.table_id)
        batch.table_id,
        run.ended_at - batch.observed_at at time zone 'utc' as delay
    from audit.batch
    inner join audit.run on batch.run_id = run.run_id
    where batch.state = 'released' and run.ended_at is not null
    order by batch.table_id asc, batch.batch_seq desc

),

compared as (

    select distinct on (reconciliation.table_id)
        reconciliation.*,
        -- A later run has read the table whole.
        source_table.load_type = 'full'
        and table_state.released_at > reconciliation.compared_at as is_over
    from audit.reconciliation
    left join audit.source_table
        on reconciliation.table_id = source_table.table_id
    left join audit.table_state
        on reconciliation.table_id = table_state.table_id
    order by reconciliation.table_id asc, reconciliation.compared_at desc

),

alerts as (

    select
        *,
        greatest(raised_at - occurred_at, interval '0') as detect,
        closed_at - raised_at as recover
    from audit.alert

),

drill as (

    select *
    from audit.drill_result
    order by ended_at desc
    limit 1

),

published as (

    select
        table_id,
        max(batch_seq) as through
    from audit.publication
    group by table_id

),

commands as (

    select distinct command from audit.run

),

samples (metric, help, labels, value) as (

    select
        'seedbed_runs_total',
        'runs that ended, by command and state',
        jsonb_build_object('command', commands.command, 'state', states.state),
        (
            select count(*) from audit.run
            where run.command = commands.command and run.state = states.state
        )
    from commands
    cross join (values ('done'), ('blocked'), ('failed')) as states (state)

    union all

    select
        'seedbed_run_retries_total',
        'what was tried again',
        '{}',
        coalesce(sum(retries), 0)
    from audit.run

    union all

    select
        'seedbed_step_seconds_total',
        'seconds of a run''s parts',
        jsonb_build_object('command', run.command, 'step', step.key),
        sum(step.value::double precision)
    from audit.run
    cross join lateral jsonb_each_text(run.steps) as step
    group by run.command, step.key

    union all

    select
        'seedbed_run_open_seconds',
        'age of the oldest run that has not ended',
        '{}',
        coalesce(extract(epoch from max(clock_timestamp() - started_at)), 0)
    from audit.run
    where state = 'running'

    union all

    select
        'seedbed_last_run_seconds',
        'how long the last run took',
        jsonb_build_object('command', command),
        extract(epoch from ended_at - started_at)
    from last_run

    union all

    select
        'seedbed_last_run_timestamp_seconds',
        'when the last run ended',
        jsonb_build_object('command', command),
        extract(epoch from ended_at)
    from last_run

    union all

    select
        'seedbed_rows_total',
        'rows of batches, by what became of them',
        jsonb_build_object('source_table', counted.table_id, 'kind', kind.name),
        sum(kind.rows)
    from counted
    cross join
        lateral (
            values
            ('read', rows_read),
            ('written', rows_written),
            ('unchanged', rows_unchanged),
            ('rejected', rows_rejected),
            ('deleted', rows_deleted),
            ('loaded', rows_loaded)
        ) as kind (name, rows)
    where kind.rows is not null
    group by counted.table_id, kind.name

    union all

    select
        'seedbed_lake_bytes_total',
        'bytes of batches'' files in the lake, by layer',
        jsonb_build_object(
            'source_table', counted.table_id, 'layer', layer.name
        ),
        sum(layer.bytes)
    from counted
    cross join
        lateral (
            values ('raw', raw_bytes), ('bronze', bronze_bytes)
        ) as layer (name, bytes)
    where layer.bytes is not null
    group by counted.table_id, layer.name

    union all

    select
        'seedbed_batch_seconds_total',
        'seconds to extract and load batches',
        jsonb_build_object('source_table', table_id),
        sum(seconds)
    from counted
    group by table_id

    union all

    select
        'seedbed_table_step_seconds_total',
        'seconds of a table''s steps',
        jsonb_build_object('source_table', table_id, 'step', name),
        extract(epoch from sum(ended_at - started_at))
    from audit.step
    where ended_at is not null and table_id <> ''
    group by table_id, name

    union all

    select
        'seedbed_table_step_failures_total',
        'steps of a table that failed',
        jsonb_build_object('source_table', tables.table_id, 'step', step.name),
        (
            select count(*) from audit.step as failed
            where
                failed.table_id = tables.table_id
                and failed.name = step.name
                and failed.state = 'failed'
        )
    from tables
    cross join (values ('extract'), ('load'), ('validate')) as step (name)

    union all

    select
        'seedbed_batches',
        'batches, by state',
        jsonb_build_object('source_table', table_id, 'state', state),
        count(*)
    from audit.batch
    group by table_id, state

    union all

    select
        'seedbed_table_blocked',
        '1 while the table''s newest batch is rejected',
        jsonb_build_object('source_table', tables.table_id),
        coalesce((newest_batch.state = 'rejected')::integer, 0)
    from tables
    left join newest_batch on tables.table_id = newest_batch.table_id

    union all

    select
        'seedbed_publish_behind_batches',
        'released batches that Snowflake lacks',
        jsonb_build_object('source_table', batch.table_id),
        count(*) filter (where batch.batch_seq > published.through)
    from audit.batch
    inner join published on batch.table_id = published.table_id
    where batch.state = 'released'
    group by batch.table_id

    union all

    select
        'seedbed_table_age_seconds',
        'age of what is released: since it was read',
        jsonb_build_object('source_table', table_id),
        extract(epoch from clock_timestamp() - observed_at at time zone 'utc')
    from tables
    where observed_at is not null

    union all

    select
        'seedbed_table_sla_seconds',
        'the age that may not be exceeded, by severity',
        jsonb_build_object('source_table', table_id, 'severity', sla.severity),
        sla.minutes * 60
    from tables
    cross join
        lateral (
            values ('warn', warn_minutes), ('block', error_minutes)
        ) as sla (severity, minutes)

    union all

    select
        'seedbed_table_delay_seconds',
        'from a batch''s reading to the end of its run',
        jsonb_build_object('source_table', table_id),
        extract(epoch from delay)
    from delay

    union all

    select
        'seedbed_watermark_age_seconds',
        'age of the newest released watermark',
        jsonb_build_object('source_table', table_id),
        extract(
            epoch from clock_timestamp() - released_high at time zone timezone
        )
    from tables
    where released_high is not null

    union all

    select
        'seedbed_rules_checked_total',
        'rules that were checked',
        jsonb_build_object('layer', layer, 'severity', severity),
        count(*)
    from audit.dq_result
    group by layer, severity

    union all

    select
        'seedbed_rules_failed_total',
        'rules that failed',
        jsonb_build_object('layer', layer, 'severity', severity),
        count(*) filter (where not passed)
    from audit.dq_result
    group by layer, severity

    union all

    select
        'seedbed_rules_failing',
        'rules that failed when a table was last checked',
        jsonb_build_object(
            'source_table', table_id, 'layer', layer, 'severity', severity
        ),
        count(*) filter (where not passed)
    from checked
    where age = 1
    group by table_id, layer, severity

    union all

    select
        'seedbed_quality_score',
        'a table''s quality score, from 0 to 1, by dimension',
        jsonb_build_object(
            'source_table', score.table_id, 'dimension', part.name
        ),
        part.value
    from score
    cross join
        lateral (
            values
            ('completeness', completeness),
            ('validity', validity),
            ('uniqueness', uniqueness),
            ('consistency', consistency),
            ('timeliness', timeliness),
            ('all', score)
        ) as part (name, value)

    union all

    select
        'seedbed_quarantine_rows',
        'rows for which the gate rejected a batch',
        jsonb_build_object('source_table', table_id),
        count(distinct row(batch_seq, row_hash))
    from audit.quarantine
    group by table_id

    union all

    select
        'seedbed_ledger_identities_total',
        'the ledger''s identities, by result',
        jsonb_build_object('result', result.name),
        (
            select count(*) from audit.ledger
            where holds = result.holds
        )
    from (values ('holds', true), ('broken', false)) as result (name, holds)

    union all

    select
        'seedbed_security_leaks',
        'assertions of the last probe that do not hold',
        '{}',
        count(*) filter (where not holds)
    from audit.probe
    where
        run_id = (
            select run_id from audit.probe
            order by probed_at desc limit 1
        )

    union all

    select
        'seedbed_reconciliation_keys',
        'keys in which log and source differed last',
        jsonb_build_object('source_table', table_id, 'difference', part.name),
        case when is_over then 0 else part.keys end
    from compared
    cross join
        lateral (
            values ('missing', missing), ('stale', stale), ('extra', extra)
        ) as part (name, keys)

    union all

    select
        'seedbed_schema_changes_total',
        'changes of source columns, by what came of it',
        jsonb_build_object('action', action.name),
        (
            select count(*) from audit.schema_change
            where action = action.name
        )
    from (values ('followed'), ('reported'), ('blocked')) as action (name)

    union all

    select
        'seedbed_model_seconds_total',
        'seconds that dbt took for a model',
        jsonb_build_object('model', model, 'layer', layer),
        extract(epoch from sum(ended_at - started_at))
    from audit.model_run
    where target = 'postgres'
    group by model, layer

    union all

    select
        'seedbed_model_failures_total',
        'builds of a model that failed',
        jsonb_build_object('model', model, 'layer', layer),
        count(*) filter (where status <> 'success')
    from audit.model_run
    where target = 'postgres'
    group by model, layer

    union all

    select
        'seedbed_schema_bytes',
        'bytes on the warehouse''s disk, with indexes',
        jsonb_build_object('schema', pg_namespace.nspname),
        sum(pg_total_relation_size(pg_class.oid))
    from pg_class
    inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
    where
        pg_class.relkind in ('r', 'm', 'p')
        and pg_namespace.nspname !~ '^(pg_|information_schema)'
    group by pg_namespace.nspname

    union all

    select
        'seedbed_alerts_total',
        'alerts ever raised',
        '{}',
        count(*)
    from alerts

    union all

    select
        'seedbed_alerts_open',
        'alerts that are open, by severity',
        jsonb_build_object('severity', severity.name),
        (
            select count(*) from alerts
            where closed_at is null and alerts.severity = severity.name
        )
    from (values ('warn'), ('block')) as severity (name)

    union all

    select
        'seedbed_alert_open_seconds',
        'age of the oldest open alert that blocks',
        '{}',
        coalesce(extract(epoch from max(clock_timestamp() - raised_at)), 0)
    from alerts
    where closed_at is null and severity = 'block'

    union all

    select
        'seedbed_alert_detect_seconds',
        'longest time to detect in the last 24 hours',
        '{}',
        coalesce(extract(epoch from max(detect)), 0)
    from alerts
    where raised_at > clock_timestamp() - interval '1 day'

    union all

    select
        'seedbed_alert_recover_seconds',
        'longest time to recover in the last 24 hours',
        '{}',
        coalesce(extract(epoch from max(recover)), 0)
    from alerts
    where closed_at > clock_timestamp() - interval '1 day'

    union all

    select
        'seedbed_undelivered_messages',
        'messages that a channel did not take yet',
        jsonb_build_object('channel', channel),
        count(*) filter (where sent_at is null)
    from audit.delivery
    group by channel

    union all

    select
        'seedbed_drill_timestamp_seconds',
        'when the last drill ended',
        '{}',
        extract(epoch from ended_at)
    from drill

    union all

    select
        'seedbed_drill_seconds',
        'how long the last drill took',
        '{}',
        extract(epoch from ended_at - started_at)
    from drill

    union all

    select
        'seedbed_drill_differences',
        'tables that the last drill found different',
        '{}',
        tables_different
    from drill

)

select
    metric,
    help,
    labels,
    value::double precision as value
from samples
order by metric, labels::text
