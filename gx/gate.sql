-- name: record
insert into audit.dq_result (
    run_id,
    layer,
    table_id,
    batch_seq,
    rule_id,
    severity,
    passed,
    observed,
    expected,
    failing_rows,
    seconds
)
values (
    %(run_id)s,
    'gate',
    %(table_id)s,
    %(batch_seq)s,
    %(rule_id)s,
    %(severity)s,
    %(passed)s,
    %(observed)s,
    %(expected)s,
    %(failing_rows)s,
    %(seconds)s
)
on conflict do nothing;

-- name: alert
insert into audit.alert (
    kind, run_id, table_id, batch_seq, severity, message, occurred_at
)
values (
    'table_blocked',
    %(run_id)s,
    %(table_id)s,
    %(batch_seq)s,
    'block',
    %(reason)s,
    %(planned_at)s
)
on conflict (kind, coalesce(table_id, '')) where closed_at is null
do update set batch_seq = excluded.batch_seq, message = excluded.message;
