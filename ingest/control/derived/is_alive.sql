-- Whether a session lives. Of another user's session nobody sees when it began.
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
