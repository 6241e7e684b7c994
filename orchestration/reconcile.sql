-- name: note
insert into audit.reconciliation (
    run_id, table_id, compared, missing, stale, extra, unbuilt, is_equal
)
values (
    %(run_id)s,
    %(table_id)s,
    %(compared)s,
    %(missing)s,
    %(stale)s,
    %(extra)s,
    %(unbuilt)s,
    %(is_equal)s
);
