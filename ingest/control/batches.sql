-- name: released
select
    state.released_through as through,
    state.snapshot_seq,
    state.released_high as high,
    state.keys_scanned_at,
    snapshot.content,
    (
        select max(released.observed_at)
        from audit.batch as released
        where
            released.table_id = state.table_id
            and released.state = 'released'
    ) as observed_at
from audit.table_state as state
left join audit.batch as snapshot
    on
        state.table_id = snapshot.table_id
        and state.snapshot_seq = snapshot.batch_seq
where state.table_id = %(table_id)s;

-- name: pending
select *
from audit.batch
where
    table_id = %(table_id)s
    and state in ('planned', 'extracted', 'loaded');

-- name: released_batches
-- Of a table that is read whole, the log holds the newest snapshots.
select *
from audit.batch
where
    table_id = %(table_id)s
    and state = 'released'
    and (
        not %(reads_whole)s
        or batch_seq >= (
            select coalesce(min(kept.batch_seq), 0)
            from (
                select batch_seq
                from audit.batch
                where
                    table_id = %(table_id)s
                    and state = 'released'
                    and rows_written > 0
                order by batch_seq desc
                limit %(keep)s
            ) as kept
        )
    )
order by batch_seq;

-- name: batch
select *
from audit.batch
where table_id = %(table_id)s and batch_seq = %(batch_seq)s;

-- name: unmarked
select
    table_id,
    batch_seq,
    batch_id,
    manifest_key,
    decided_at
from audit.batch
where
    state = 'released'
    and not exists (
        select from audit.lake_mark as mark
        where
            mark.table_id = batch.table_id
            and mark.batch_seq = batch.batch_seq
    )
order by table_id, batch_seq;

-- name: marked
insert into audit.lake_mark (table_id, batch_seq)
values (%(table_id)s, %(batch_seq)s)
on conflict do nothing;

-- name: next_batch
select coalesce(max(batch_seq), 0) + 1
from audit.batch
where table_id = %(table_id)s;

-- name: plan
insert into audit.batch (
    table_id,
    batch_seq,
    batch_id,
    run_id,
    state,
    fingerprint,
    kind,
    window_low,
    window_high,
    range_start,
    range_end,
    manifest_key
)
values (
    %(table_id)s,
    %(batch_seq)s,
    %(batch_id)s,
    %(run_id)s,
    'planned',
    %(fingerprint)s,
    %(kind)s,
    %(window_low)s,
    %(window_high)s,
    %(range_start)s,
    %(range_end)s,
    %(manifest_key)s
);

-- name: plan_ranges
-- The first one has no low end, the last one no high end.
insert into audit.batch_range (table_id, batch_seq, range_number, low, high)
select
    %(table_id)s,
    %(batch_seq)s,
    edge.number - 1,
    edge.low,
    lead(edge.low) over (order by edge.number)
from
    unnest(array_prepend(null, cast(%(cuts)s as numeric[]))) with ordinality
        as edge (low, number)
where cardinality(cast(%(cuts)s as numeric[])) > 0;

-- name: ranges
select
    range_number as number,
    low::text,
    high::text,
    source_rows,
    zero_dates,
    parts
from audit.batch_range
where table_id = %(table_id)s and batch_seq = %(batch_seq)s
order by range_number;

-- name: range_read
update audit.batch_range
set
    source_rows = %(source_rows)s,
    zero_dates = %(zero_dates)s,
    parts = %(parts)s
where
    table_id = %(table_id)s
    and batch_seq = %(batch_seq)s
    and range_number = %(number)s;

-- name: adopt
update audit.batch
set run_id = %(run_id)s
where table_id = %(table_id)s and batch_seq = %(batch_seq)s;

-- name: discard
delete from audit.batch
where
    table_id = %(table_id)s
    and batch_seq = %(batch_seq)s
    and state in ('planned', 'extracted');

-- name: extracted
update audit.batch
set
    state = 'extracted',
    observed_at = %(observed_at)s,
    content = %(content)s,
    source_rows = %(source_rows)s,
    rows_read = %(rows_read)s,
    rows_written = %(rows_written)s,
    rows_unchanged = %(rows_unchanged)s,
    rows_rejected = %(rows_rejected)s,
    rows_deleted = %(rows_deleted)s,
    keys_gone = %(keys_gone)s,
    unaccounted = nullif(%(unaccounted)s, ''),
    raw_bytes = %(raw_bytes)s,
    bronze_bytes = %(bronze_bytes)s,
    seconds = seconds + %(seconds)s
where
    table_id = %(table_id)s
    and batch_seq = %(batch_seq)s
    and state = %(was)s;

-- name: decide
update audit.batch
set
    manifest_key = %(manifest_key)s,
    decision = %(decision)s
where table_id = %(table_id)s and batch_seq = %(batch_seq)s;

-- name: release
update audit.batch
set
    state = 'released',
    decided_at = clock_timestamp()
where
    table_id = %(table_id)s
    and batch_seq = %(batch_seq)s
    and state = %(was)s;

-- name: release_table
insert into audit.table_state as state (
    table_id,
    released_through,
    snapshot_seq,
    released_high,
    observed_at,
    keys_scanned_at
)
values (
    %(table_id)s,
    %(batch_seq)s,
    %(snapshot_seq)s,
    %(window_high)s,
    %(observed_at)s,
    %(keys_scanned_at)s
)
on conflict (table_id) do update
    set
        released_through = greatest(
            state.released_through, excluded.released_through
        ),
        snapshot_seq = greatest(state.snapshot_seq, excluded.snapshot_seq),
        released_high = greatest(state.released_high, excluded.released_high),
        -- What a backfill reads makes nothing fresher.
        observed_at = case
            when %(is_window)s then excluded.observed_at
            else state.observed_at
        end,
        keys_scanned_at = greatest(
            state.keys_scanned_at, excluded.keys_scanned_at
        ),
        released_at = clock_timestamp();

-- name: reject
update audit.batch
set
    state = 'rejected',
    reason = %(reason)s,
    decided_at = clock_timestamp()
where
    table_id = %(table_id)s
    and batch_seq = %(batch_seq)s
    and state = %(was)s;

-- name: unpublish
delete from audit.publication
where table_id = %(table_id)s and batch_seq = %(batch_seq)s;

-- name: replayed
update audit.batch
set
    rows_written = %(rows_written)s,
    rows_unchanged = %(rows_unchanged)s,
    rows_rejected = %(rows_rejected)s,
    rows_deleted = %(rows_deleted)s,
    content = %(content)s,
    fingerprint = %(fingerprint)s
where table_id = %(table_id)s and batch_seq = %(batch_seq)s;

-- name: count_loaded
update audit.batch
set
    rows_loaded = (
        select count(*)
        from {log} as log
        where log._batch_seq = %(batch_seq)s
    )
where table_id = %(table_id)s and batch_seq = %(batch_seq)s;
