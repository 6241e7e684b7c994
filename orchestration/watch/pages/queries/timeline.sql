-- One row per bar, in seconds since the run began: the steps of each table, and
-- what dbt built, by layer. A step under way ends now.
with

run as (

    select * from audit.run
    where run_id = %(run_id)s

),

bars as (

    select
        'table' as lanes,
        table_id as lane,
        name as part,
        table_id as name,
        state,
        started_at,
        coalesce(ended_at, clock_timestamp()) as ended_at
    from audit.step
    where run_id = %(run_id)s and table_id <> ''
    union all
    select
        'dbt',
        layer,
        layer,
        model,
        status,
        started_at,
        ended_at
    from audit.model_run
    where run_id = %(run_id)s and target = 'postgres'

)

select
    bars.lanes,
    bars.lane,
    case
        when bars.state in ('failed', 'error', 'fail') then 'trouble'
        else bars.part
    end as part,
    bars.name,
    bars.state,
    greatest(
        extract(epoch from bars.started_at - run.started_at), 0
    )::double precision as began,
    greatest(
        extract(epoch from bars.ended_at - run.started_at), 0
    )::double precision as ended
from bars
cross join run
order by bars.lanes desc, began asc, bars.name asc
