-- name: state
-- Of a table's log, of what dbt makes of it, and of the last released batch
-- with rows: what a build adds to silver comes with one.
select
    concat_ws(
        ' ',
        audit.state_of(array_agg(pg_class.oid)),
        %(snapshot)s::bigint,
        audit.newest_rows(%(table_id)s, %(through)s)
    )
from pg_class
inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
where
    (pg_namespace.nspname = 'bronze' and pg_class.relname = %(log)s)
    or (
        pg_namespace.nspname = any(%(schemas)s)
        and pg_class.relname = any(%(models)s)
    );

-- name: before
select live_rows from audit.alike
where
    environment = %(environment)s
    and table_id = %(table_id)s
    and state = %(state)s;

-- name: note
insert into audit.alike (environment, table_id, state, live_rows)
values (%(environment)s, %(table_id)s, %(state)s, %(live_rows)s)
on conflict (environment, table_id) do update set
    state = excluded.state, live_rows = excluded.live_rows;

-- name: forget
delete from audit.alike
where environment = %(environment)s and table_id = %(table_id)s;
