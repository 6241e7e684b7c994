-- The result of the last run, without ids and times.
select
    run.state,
    noted.table_id,
    noted.state,
    batch.rows_read,
    batch.rows_loaded,
    batch.rows_rejected,
    (
        select count(*) from audit.model_run as model
        where model.run_id = run.run_id and model.status = 'success'
    ),
    (
        select count(*) from audit.dq_result as rule
        where rule.run_id = run.run_id and rule.passed
    )
from audit.run as run
inner join audit.run_table as noted on noted.run_id = run.run_id
left join audit.batch as batch
    on batch.run_id = run.run_id and batch.table_id = noted.table_id
where run.run_id = (select max(run_id) from audit.run)
order by noted.table_id
