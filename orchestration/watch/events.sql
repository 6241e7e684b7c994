-- name: run
select *
from audit.run
where run_id = %(run_id)s;

-- name: assertions
select
    table_id,
    batch_seq,
    rule_id,
    severity,
    passed,
    observed,
    expected
from audit.dq_result
where run_id = %(run_id)s and layer = 'gate'
order by rule_id;

-- name: steps
select
    step.*,
    batch.rows_written,
    batch.raw_bytes,
    batch.bronze_bytes
from audit.step
left join audit.batch using (table_id, batch_seq)
where step.run_id = %(run_id)s and step.ended_at is not null
order by step.step_id;

-- name: published
select distinct table_id
from audit.publication
where run_id = %(run_id)s
order by table_id;

-- name: models
select
    *,
    case status when 'success' then 'done' else 'failed' end as state,
    null as error
from audit.model_run
where run_id = %(run_id)s and target = %(target)s;
