-- Each table that has been released: how old its data are now, and how good
-- they were found to be in this run and by the last score.
with

rules as (

    select
        table_id,
        count(*) as rules,
        count(*) filter (where not passed and severity = 'block') as broken,
        count(*) filter (where not passed and severity = 'warn') as warned
    from audit.dq_result
    where run_id = %(run_id)s
    group by table_id

),

scores as (

    select distinct on (table_id)
        table_id,
        score
    from audit.quality_score
    where run_id <= %(run_id)s
    order by table_id asc, scored_at desc

),

rows as (

    select distinct on (ledger.table_id)
        ledger.table_id,
        ledger.right_rows
    from audit.ledger
    inner join audit.run using (run_id)
    where
        ledger.identity = 'live keys of the log = live keys of silver'
        and ledger.run_id <= %(run_id)s
    order by ledger.table_id asc, run.started_at desc

),

state as (

    select
        table_id,
        released_high,
        (
            extract(
                epoch from clock_timestamp() at time zone 'utc' - observed_at
            ) / 60
        )::double precision as age_minutes
    from audit.table_state

)

select
    state.table_id,
    state.age_minutes,
    case
        when source_table.table_id is null then 'unknown'
        when state.age_minutes > source_table.error_minutes then 'stale'
        when state.age_minutes > source_table.warn_minutes then 'late'
        else 'fresh'
    end as freshness,
    state.released_high,
    rows.right_rows as rows,
    coalesce(rules.rules, 0) as rules,
    coalesce(rules.broken, 0) as broken,
    coalesce(rules.warned, 0) as warned,
    scores.score
from state
left join audit.source_table using (table_id)
left join rules using (table_id)
left join scores using (table_id)
left join rows using (table_id)
order by state.table_id
