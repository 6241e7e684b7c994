-- name: session
select
    pid,
    backend_start
from pg_stat_activity
where pid = pg_backend_pid();

-- name: take
-- Of two that want it, the second looks when the first has committed.
insert into audit.lock as held (name, pid, session_start)
values (%(name)s, %(pid)s, %(start)s)
on conflict (name) do update
    set
        pid = excluded.pid,
        session_start = excluded.session_start,
        taken_at = clock_timestamp()
    where
    (held.pid, held.session_start) = (excluded.pid, excluded.session_start)
    or not audit.is_alive(held.pid, held.session_start)
returning true;

-- name: give_back
delete from audit.lock
where name = %(name)s and pid = pg_backend_pid();

-- name: forget
delete from audit.lock
where name = %(name)s;

-- name: holder
select
    pid,
    taken_at at time zone 'utc' as since
from audit.lock
where name = %(name)s and audit.is_alive(pid, session_start);

-- name: offer
insert into audit.lock (name)
values (%(name)s)
on conflict do nothing;

-- name: serialize
select from audit.lock
where name = %(name)s
for update;

-- name: holders
-- Those that block a writer first; a reader blocks a change of the table.
select
    session.pid,
    session.usename,
    coalesce(session.application_name, '') as program,
    session.xact_start at time zone 'utc' as since,
    array_agg(
        distinct lock.relation::regclass::text
        order by lock.relation::regclass::text
    ) as relations,
    bool_or(
        lock.mode not in (
            'AccessShareLock', 'RowShareLock', 'RowExclusiveLock'
        )
    ) as is_strong
from pg_locks as lock
inner join pg_class on lock.relation = pg_class.oid
inner join pg_stat_activity as session on lock.pid = session.pid
where
    lock.granted
    and lock.database = (
        select oid from pg_database
        where datname = current_database()
    )
    and pg_class.relkind in ('r', 'p', 'v', 'm')
    and pg_class.relnamespace::regnamespace::text = any(%(schemas)s)
    and session.application_name <> %(own)s
    and session.pid <> pg_backend_pid()
    and session.state is distinct from 'idle'
group by
    session.pid,
    session.usename,
    session.application_name,
    session.xact_start
order by is_strong desc, since asc;
