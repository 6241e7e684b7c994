-- The mean of a table's scores, into audit.quality_score and into the result of
-- its threshold. {view} has a score for each of its rows.
insert into audit.quality_score (
    run_id,
    table_id,
    rows,
    completeness,
    validity,
    uniqueness,
    consistency,
    timeliness,
    score
)
select
    {run_id},
    {table_id},
    count(*),
    avg(completeness),
    avg(validity),
    avg(uniqueness),
    avg(consistency),
    avg(timeliness),
    avg(score)
from {view}
having count(*) > 0
on conflict do nothing;

update audit.dq_result as result
set observed = 'score ' || round(found.score::numeric, 3)
from audit.quality_score as found
where
    result.run_id = {run_id}
    and result.table_id = {table_id}
    and result.layer = 'model'
    and result.rule_id = 'score'
    and found.run_id = result.run_id
    and found.table_id = result.table_id;
