-- Opens the alerts whose condition holds and closes those where it is over.
-- What is open already only gets its newest message.
create or replace function audit.refresh_alerts()
returns void
language sql
as $$
    with

    due as (

        select * from audit.alert_due

    ),

    closed as (

        update audit.alert
        set closed_at = clock_timestamp()
        where
            closed_at is null
            and not exists (
                select from due
                where
                    due.kind = alert.kind
                    and due.table_id is not distinct from alert.table_id
            )

    )

    insert into audit.alert as alert (
        kind, run_id, table_id, batch_seq, severity, message, occurred_at
    )
    select
        kind,
        run_id,
        table_id,
        batch_seq,
        severity,
        coalesce(message, kind),
        occurred_at
    from due
    on conflict (kind, coalesce(table_id, '')) where closed_at is null
    do update set
        severity = excluded.severity,
        batch_seq = excluded.batch_seq,
        message = excluded.message
    where
        (alert.severity, alert.batch_seq, alert.message)
        is distinct from (excluded.severity, excluded.batch_seq, excluded.message)
$$;
