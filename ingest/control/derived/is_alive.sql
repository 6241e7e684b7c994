-- Whether a session lives. When one of another user began is hidden.
create or replace function audit.is_alive(
    pid integer, session_start timestamptz
)
returns boolean
language sql
as $$
    select exists (
        select
        from pg_catalog.pg_stat_activity as session
        where
            session.pid = is_alive.pid
            and coalesce(session.backend_start, is_alive.session_start)
            = is_alive.session_start
    )
$$;
