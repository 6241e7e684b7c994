-- The last batch of a table that brought rows, up to a released one: what a
-- load or a build adds comes with another.
create or replace function audit.newest_rows(for_table text, through bigint)
returns bigint
language sql stable
as $$
    select max(batch_seq) from audit.batch
    where
        table_id = for_table
        and batch_seq <= through
        and rows_loaded > 0
$$;
