-- name: close_dead
update audit.run
set
    state = 'failed',
    ended_at = clock_timestamp(),
    error = 'its process ended before the run did; run again'
where
    state = 'running'
    and orchestrated_by is null
    and not exists (
        select from audit.lock
        where
            lock.name = 'run/' || run.run_id
            and audit.is_alive(lock.pid, lock.session_start)
    )
returning run_id;

-- name: close_steps
-- Of the steps that lost their connection, or whose process died.
update audit.step
set
    state = 'failed',
    ended_at = run.ended_at,
    error = 'it was cut off'
from audit.run
where
    run.run_id = %(run_id)s
    and step.run_id = run.run_id
    and step.state = 'running';

-- name: know_source_tables
with

known as (

    select * from jsonb_populate_recordset(null::audit.source_table, %(known)s)

),

forgotten as (

    delete from audit.source_table
    where table_id not in (select known.table_id from known)

)

insert into audit.source_table (
    table_id, load_type, owner, timezone, warn_minutes, error_minutes
)
select
    table_id,
    load_type,
    owner,
    timezone,
    warn_minutes,
    error_minutes
from known
on conflict (table_id) do update
    set
        load_type = excluded.load_type,
        owner = excluded.owner,
        timezone = excluded.timezone,
        warn_minutes = excluded.warn_minutes,
        error_minutes = excluded.error_minutes;

-- name: begin_run
insert into audit.run (run_id, command)
values (%(run_id)s, %(command)s);

-- name: close_earlier
update audit.run
set
    state = 'failed',
    ended_at = clock_timestamp(),
    error = 'the orchestrator ended before the run did; run again'
where
    state = 'running'
    and starts_with(orchestrated_by, %(dag)s)
    and orchestrated_by <> %(known_as)s;

-- name: begin_orchestrated_run
insert into audit.run as run (run_id, command, orchestrated_by)
values (%(run_id)s, %(command)s, %(known_as)s)
on conflict (orchestrated_by) do update
    set
        state = 'running',
        ended_at = null,
        error = null
returning run_id;

-- name: note_table
insert into audit.run_table as noted (
    run_id, table_id, state, error, retries
)
values (
    %(run_id)s, %(table_id)s, %(state)s, nullif(%(error)s, ''), %(retries)s
)
on conflict (run_id, table_id) do update
    set
        state = excluded.state,
        error = excluded.error,
        retries = noted.retries + excluded.retries;

-- name: noted_tables
select
    table_id,
    state,
    error,
    retries
from audit.run_table
where run_id = %(run_id)s
order by table_id;

-- name: add_seconds
update audit.run
set
    steps = coalesce(steps, '{}') || jsonb_build_object(
        %(part)s::text,
        %(took)s + coalesce((steps ->> %(part)s)::float8, 0)
    )
where run_id = %(run_id)s;

-- name: end_run
update audit.run
set
    state = %(state)s,
    steps = coalesce(steps, '{}'),
    error = nullif(%(error)s, ''),
    retries = %(retries)s,
    ended_at = clock_timestamp()
where run_id = %(run_id)s
returning steps;

-- name: is_settled
select
    not exists (
        select from audit.batch
        where
            table_id = %(table_id)s
            and state in ('planned', 'extracted', 'loaded')
    );
