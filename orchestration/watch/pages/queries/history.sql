-- The last runs up to this one, oldest first.
with

runs as (

    select * from audit.run
    where
        started_at <= (
            select started_at from audit.run
            where run_id = %(run_id)s
        )
    order by started_at desc
    limit 30

),

moved as (

    select
        run_id,
        count(distinct table_id) as tables,
        sum(rows_read)::bigint as rows_read,
        sum(rows_written)::bigint as rows_written,
        string_agg(
            distinct table_id, ', '
        ) filter (where state in ('rejected', 'superseded')) as blocked
    from audit.batch
    where run_id in (select run_id from runs)
    group by run_id

),

rules as (

    select
        run_id,
        count(*) as rules,
        count(*) filter (where not passed) as failed
    from audit.dq_result
    where run_id in (select run_id from runs)
    group by run_id

)

select
    runs.run_id,
    runs.command,
    runs.state,
    runs.started_at,
    extract(
        epoch from coalesce(runs.ended_at, clock_timestamp()) - runs.started_at
    )::double precision as seconds,
    coalesce(moved.tables, 0) as tables,
    coalesce(moved.rows_read, 0) as rows_read,
    coalesce(moved.rows_written, 0) as rows_written,
    moved.blocked,
    coalesce(rules.rules, 0) as rules,
    coalesce(rules.failed, 0) as failed
from runs
left join moved using (run_id)
left join rules using (run_id)
order by runs.started_at
