-- The rules for which a table of this run was blocked. No value of a row.
select
    dq_result.table_id,
    dq_result.rule_id,
    dq_result.observed,
    dq_result.expected,
    dq_result.failing_rows
from audit.dq_result
inner join audit.batch
    on
        dq_result.table_id = batch.table_id
        and dq_result.batch_seq = batch.batch_seq
where
    dq_result.run_id = %(run_id)s
    and batch.run_id = dq_result.run_id
    and batch.state in ('rejected', 'superseded')
    and dq_result.severity = 'block'
    and not dq_result.passed
order by dq_result.table_id asc, dq_result.failing_rows desc nulls last
