-- What the migrations need of their own: see schema.py.

-- name: applied
select
    script as name,
    checksum,
    coalesce(version, 0) as version
from audit.schema_version;

-- name: patience
select setting::integer / 1000.0
from pg_settings
where name = 'lock_timeout';

-- name: begin
-- Two first runs at once: one waits at the schema's name for the other.
set local lock_timeout = '1s';
create schema if not exists audit;
create table if not exists audit.schema_version (
    script text primary key,
    version integer unique,
    checksum text not null,
    applied_at timestamptz not null default clock_timestamp()
);
lock table audit.schema_version in exclusive mode;

-- name: note
insert into audit.schema_version (script, version, checksum)
values (%(name)s, nullif(%(version)s, 0), %(checksum)s)
on conflict (script) do update
    set checksum = excluded.checksum, applied_at = excluded.applied_at;
