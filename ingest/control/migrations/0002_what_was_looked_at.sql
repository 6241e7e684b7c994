-- What was looked at and found well, and the state it had: a run that finds the
-- same state need not look again.

-- All that consumers see of a serving schema, and the run that looked at it.
-- `state` is empty where something was wrong.
create table audit.seen (
    environment text primary key,
    state text not null,
    run_id text not null
);

-- A table's log and its silver, which showed so many rows alike.
create table audit.alike (
    environment text not null,
    table_id text not null,
    state text not null,
    live_rows bigint not null,
    primary key (environment, table_id)
);

-- A log's keys: the number and the sum of the hashes of those that are live in
-- each bucket of a scan, as an array of [bucket, rows, sum].
create table audit.key_sums (
    table_id text primary key,
    state text not null,
    sums jsonb not null
);
