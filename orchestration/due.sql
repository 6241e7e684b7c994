-- The tables that have more released than was built in an environment, and how
-- far they were built: a batch with rows, or a snapshot of a table that is
-- empty.
select distinct
    batch.table_id,
    coalesce(built_table.through_seq, 0) as through_seq
from audit.batch
inner join audit.table_state on batch.table_id = table_state.table_id
left join audit.built_table
    on
        batch.table_id = built_table.table_id
        and built_table.environment = %(environment)s
where
    batch.state = 'released'
    and batch.batch_seq > coalesce(built_table.through_seq, 0)
    and (batch.rows_loaded > 0 or batch.batch_seq = table_state.snapshot_seq)
