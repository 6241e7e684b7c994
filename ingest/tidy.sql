-- name: of_old_runs
delete from {table}
where
    run_id in (
        select run_id
        from (
            select
                run_id,
                ended_at
            from audit.run
            order by started_at desc
            offset %(runs)s
        ) as older
        where ended_at < clock_timestamp() - make_interval(days => %(days)s)
    );

-- name: of_old_days
delete from {table}
where {over} < clock_timestamp() - make_interval(days => %(days)s);
