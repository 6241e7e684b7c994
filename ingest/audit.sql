-- The control tables. The runner owns them; statements are safe to repeat.
create schema if not exists audit;
create schema if not exists bronze;

create table if not exists audit.run (
    run_id text primary key,
    command text not null,
    state text not null default 'running'
        check (state in ('running', 'done', 'blocked', 'failed')),
    started_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    steps jsonb,
    error text
);

create table if not exists audit.batch (
    table_id text not null,
    batch_seq bigint not null,
    batch_id text not null unique,
    run_id text not null references audit.run,
    state text not null check (
        state in (
            'planned', 'extracted', 'loaded', 'released', 'rejected',
            'superseded'
        )
    ),
    fingerprint text not null,
    window_low timestamp,
    window_high timestamp,
    observed_at timestamp,
    manifest_key text not null,
    content text,
    source_rows bigint,
    rows_read bigint,
    rows_written bigint,
    rows_unchanged bigint,
    rows_rejected bigint,
    rows_deleted bigint,
    rows_loaded bigint,
    reason text,
    seconds double precision not null default 0,
    planned_at timestamptz not null default clock_timestamp(),
    decided_at timestamptz,
    primary key (table_id, batch_seq)
);
-- First in, first out: a table has one batch under way at most.
create unique index if not exists batch_under_way on audit.batch (table_id)
where state in ('planned', 'extracted', 'loaded');

-- What is released, one row a table: batches are first in, first out, so one
-- number says it. `snapshot_seq` is the newest full snapshot among them,
-- `released_high` the watermark, `observed_at` the time the data are true of.
create table if not exists audit.table_state (
    table_id text primary key,
    released_through bigint not null,
    snapshot_seq bigint not null default 0,
    released_high timestamp,
    observed_at timestamp not null,
    released_at timestamptz not null default clock_timestamp()
);

create table if not exists audit.reject (
    table_id text not null,
    batch_seq bigint not null,
    reason text not null,
    -- A NUL character, which Postgres can't hold, is shown as ␀.
    source_row jsonb not null
);
create index if not exists reject_batch on audit.reject (table_id, batch_seq);

create table if not exists audit.quality_result (
    run_id text not null references audit.run,
    table_id text not null,
    batch_seq bigint not null,
    check_name text not null,
    severity text not null check (severity in ('block', 'warn')),
    passed boolean not null,
    observed text,
    expected text,
    checked_at timestamptz not null default clock_timestamp(),
    primary key (run_id, table_id, batch_seq, check_name)
);

-- What a model reads, frozen in its own transaction: (after_seq, through_seq].
create table if not exists audit.model_claim (
    model text primary key,
    table_id text not null,
    fingerprint text not null,
    invocation_id text not null,
    after_seq bigint not null,
    through_seq bigint not null,
    snapshot_seq bigint not null,
    done_seq bigint not null default 0,
    claimed_at timestamptz not null default clock_timestamp()
);

-- The identities of the row ledger, as checked at the end of each run.
create table if not exists audit.ledger (
    run_id text not null references audit.run,
    table_id text not null,
    identity text not null,
    left_rows bigint not null,
    right_rows bigint not null,
    holds boolean generated always as (left_rows = right_rows) stored,
    primary key (run_id, table_id, identity)
);

-- Whether the last build of a place left nothing undone. After one that did,
-- the next run builds everything.
create table if not exists audit.build_state (
    place text primary key,
    is_complete boolean not null,
    changed_at timestamptz not null default clock_timestamp()
);

-- How far each table is built in a place.
create table if not exists audit.built_table (
    place text not null,
    table_id text not null,
    through_seq bigint not null,
    primary key (place, table_id)
);
