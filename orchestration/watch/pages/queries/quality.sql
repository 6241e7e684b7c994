-- Each table in each of the last runs that asked anything of it: its worst
-- result.
with

runs as (

    select
        run_id,
        row_number() over (order by started_at desc) as ago
    from audit.run
    where
        started_at <= (
            select started_at from audit.run
            where run_id = %(run_id)s
        )
        and exists (
            select 1 from audit.dq_result
            where dq_result.run_id = run.run_id
        )

)

select
    dq_result.table_id,
    runs.run_id,
    runs.ago,
    count(*) as rules,
    count(*) filter (where not dq_result.passed) as failed,
    case
        when bool_or(not dq_result.passed and dq_result.severity = 'block')
            then 'block'
        when bool_or(not dq_result.passed) then 'warn'
        else 'pass'
    end as worst
from audit.dq_result
inner join runs using (run_id)
where runs.ago <= 12
group by dq_result.table_id, runs.run_id, runs.ago
order by dq_result.table_id asc, runs.ago desc
