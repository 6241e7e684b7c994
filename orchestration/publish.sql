-- name: states
select
    state.table_id,
    state.released_through,
    state.snapshot_seq,
    state.observed_at,
    array(
        select publication.batch_seq
        from audit.publication
        where publication.table_id = state.table_id
    ) as noted
from audit.table_state as state;

-- name: blocked
select table_id
from audit.batch
where state = 'rejected';

-- name: note
insert into audit.publication (
    table_id, batch_seq, run_id, target, files, rows_loaded
)
select
    load ->> 'table_id',
    (batch ->> 'batch_seq')::bigint,
    %(run_id)s,
    %(target)s,
    jsonb_array_length(batch -> 'files'),
    (batch ->> 'rows')::bigint
from jsonb_array_elements(%(loads)s) as load
cross join jsonb_array_elements(load -> 'batches') as batch
on conflict (table_id, batch_seq) do update
    set
        run_id = excluded.run_id,
        target = excluded.target,
        files = excluded.files,
        rows_loaded = excluded.rows_loaded,
        published_at = clock_timestamp();
