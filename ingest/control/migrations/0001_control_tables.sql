-- The control tables, which the runner owns, and the schema of the logs.
create schema if not exists bronze;

-- Who holds what, for as long as the session lives that took it: a row is held
-- by the session of `pid` that began at `session_start`.
create table audit.lock (
    name text primary key,
    pid integer,
    session_start timestamptz,
    taken_at timestamptz not null default clock_timestamp()
);
-- dbt's commands take turns here while they make roles and rights.
insert into audit.lock (name) values ('security');

create table audit.run (
    run_id text primary key,
    command text not null,
    state text not null default 'running'
    check (state in ('running', 'done', 'blocked', 'failed')),
    started_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    steps jsonb,
    error text,
    retries integer not null default 0,
    -- The orchestrator's name of a run whose steps are processes of their own:
    -- `dag/run of it`. Null where one process is the whole run.
    orchestrated_by text unique
);

-- How far each table came in a run: its last batch's state, `busy` or `failed`.
create table audit.run_table (
    run_id text not null references audit.run,
    table_id text not null,
    state text not null,
    error text,
    retries integer not null default 0,
    primary key (run_id, table_id)
);

create table audit.batch (
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
    -- backfill and reload read the watermarks from `range_start` to before
    -- `range_end`; window_low and window_high then stay where they were.
    kind text not null default 'window'
    check (kind in ('window', 'backfill', 'reload', 'repair')),
    range_start timestamp,
    range_end timestamp,
    planned_at timestamptz not null default clock_timestamp(),
    decided_at timestamptz,
    -- What a person decided about a rejected batch: who, what and why.
    decision text,
    -- The size of its files in the lake.
    raw_bytes bigint,
    bronze_bytes bigint,
    -- The keys that a scan found to be gone from the source.
    keys_gone bigint,
    -- Some of the rows that one of its identities lacks, by key; not of
    -- personal keys.
    unaccounted text,
    primary key (table_id, batch_seq)
);
-- First in, first out: a table has one batch under way at most.
create unique index batch_under_way on audit.batch (table_id)
where state in ('planned', 'extracted', 'loaded');

-- The ranges of the leading key that a big first load is cut into; a range that
-- has `parts` was read and is not read again. `low` is in the range, `high` is
-- not.
create table audit.batch_range (
    table_id text not null,
    batch_seq bigint not null,
    range_number integer not null,
    low numeric,
    high numeric,
    source_rows bigint,
    zero_dates bigint,
    parts jsonb,
    primary key (table_id, batch_seq, range_number),
    foreign key (table_id, batch_seq) references audit.batch on delete cascade
);

-- What a comparison of a table with its source came to, in keys: `missing` in
-- the log, `stale` there, and `extra`: live in the log and gone from the
-- source.
create table audit.reconciliation (
    run_id text not null references audit.run,
    table_id text not null,
    compared bigint not null,
    missing bigint not null,
    stale bigint not null,
    extra bigint not null,
    compared_at timestamptz not null default clock_timestamp(),
    -- Rows of the log that the model does not show as they are, and whether all
    -- of it was as it should be.
    unbuilt bigint not null default 0,
    is_equal boolean not null default false,
    primary key (run_id, table_id)
);

-- What is released, one row per table: batches are first in, first out, so one
-- number says it. `snapshot_seq` is the newest full snapshot among them,
-- `released_high` the watermark, `observed_at` the time the data are true of.
create table audit.table_state (
    table_id text primary key,
    released_through bigint not null,
    snapshot_seq bigint not null default 0,
    released_high timestamp,
    observed_at timestamp not null,
    keys_scanned_at timestamp,
    released_at timestamptz not null default clock_timestamp()
);

create table audit.reject (
    table_id text not null,
    batch_seq bigint not null,
    reason text not null,
    -- A NUL character, which Postgres can't hold, is shown as ␀.
    source_row jsonb not null
);
create index reject_batch on audit.reject (table_id, batch_seq);

-- What each rule saw, of all layers: one row per rule, table and run.
-- `batch_seq` is null past the gate, `failing_rows` where a rule does not count
-- rows. No value of a row is in it.
create table audit.dq_result (
    run_id text not null references audit.run,
    layer text not null,
    table_id text not null,
    batch_seq bigint,
    rule_id text not null,
    severity text not null check (severity in ('block', 'warn')),
    passed boolean not null,
    observed text,
    expected text,
    failing_rows bigint,
    seconds double precision,
    checked_at timestamptz not null default clock_timestamp()
);
create unique index dq_result_rule on audit.dq_result
(run_id, layer, table_id, rule_id, coalesce(batch_seq, 0));

-- The rows for which the gate rejected a batch, one row per rule that fails.
-- `row` holds what the log has of the seed's columns, personal data as well.
-- Once a person has released the batch without them, they count as read until
-- they change.
create table audit.quarantine (
    table_id text not null,
    batch_seq bigint not null,
    rule_id text not null,
    row_hash bigint not null,
    source_ts timestamp not null,
    row json not null,
    kept_at timestamptz not null default clock_timestamp()
);
create index quarantine_batch
on audit.quarantine (table_id, batch_seq);

-- What a person should look at, one row from when it is found until it is over:
-- an alert is open while its condition holds (audit.refresh_alerts), and a
-- table has one of a kind open at most. `occurred_at` is when the fault came
-- about, so that `raised_at` gives the time to detect it, and `closed_at` the
-- time to recover.
create table audit.alert (
    alert_id bigint generated always as identity primary key,
    run_id text references audit.run,
    table_id text,
    batch_seq bigint,
    severity text not null check (severity in ('block', 'warn')),
    message text not null,
    raised_at timestamptz not null default clock_timestamp(),
    kind text not null default 'table_blocked',
    occurred_at timestamptz not null default clock_timestamp(),
    closed_at timestamptz
);
create unique index alert_open
on audit.alert (kind, coalesce(table_id, '')) where closed_at is null;

-- What was sent to each channel: `subject` is `alert/7/opened`,
-- `alert/7/closed` or `run/<run_id>`. Without `sent_at` it is still to be sent,
-- but for the first `parts` of it.
create table audit.delivery (
    channel text not null,
    subject text not null,
    sent_at timestamptz,
    tries integer not null default 0,
    error text,
    parts integer not null default 0,
    primary key (channel, subject)
);

-- The seed's tables as the last run knew them: whose they are, on which clock
-- their watermark is, and how old their released data may get.
create table audit.source_table (
    table_id text primary key,
    load_type text not null,
    owner text not null,
    timezone text not null,
    warn_minutes integer not null,
    error_minutes integer not null
);

-- The steps of a run, one row per table and step; the table is empty for those
-- of all.
create table audit.step (
    step_id bigint generated always as identity primary key,
    run_id text not null references audit.run,
    name text not null check (
        name in ('extract', 'load', 'validate', 'build', 'publish')
    ),
    table_id text not null default '',
    batch_seq bigint,
    state text not null default 'running'
    check (state in ('running', 'done', 'failed')),
    started_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    error text
);
create index step_run on audit.step (run_id);

-- What dbt made of each model and snapshot in a run's build of a target,
-- postgres or snowflake; `rows` where it says so.
create table audit.model_run (
    run_id text not null references audit.run,
    model text not null,
    layer text not null,
    status text not null,
    rows bigint,
    started_at timestamptz not null,
    ended_at timestamptz not null,
    target text not null default 'postgres'
);
create unique index model_run_built
on audit.model_run (run_id, target, model);

-- Each drill: a backup restored beside the warehouse, and what came of it.
create table audit.drill_result (
    drill_id text primary key,
    backup text not null,
    backup_at timestamptz not null,
    started_at timestamptz not null,
    restored_at timestamptz not null,
    replayed_at timestamptz not null,
    ended_at timestamptz not null,
    batches_replayed bigint not null,
    tables_compared bigint not null,
    tables_different bigint not null,
    different text
);

-- How good a table's live rows were after a build, from 0 to 1, in the mean.
create table audit.quality_score (
    run_id text not null references audit.run,
    table_id text not null,
    rows bigint not null,
    completeness double precision not null,
    validity double precision not null,
    uniqueness double precision not null,
    consistency double precision not null,
    timeliness double precision not null,
    score double precision not null,
    scored_at timestamptz not null default clock_timestamp(),
    primary key (run_id, table_id)
);

-- What each column of a batch holds: the source's rows, without tombstones. Of
-- personal data no value is kept, only counts and lengths. `quantiles` (5, 25,
-- 50, 75, 95 %; times as seconds since 1970) are estimates, `distinct_count` in
-- batches of more than 100,000 rows.
create table audit.column_profile (
    table_id text not null,
    batch_seq bigint not null,
    column_name text not null,
    rows bigint not null,
    nulls bigint not null,
    distinct_count bigint,
    least text,
    greatest text,
    quantiles double precision[],
    mean double precision,
    deviation double precision,
    shortest integer,
    longest integer,
    mean_length double precision,
    profiled_at timestamptz not null default clock_timestamp(),
    primary key (table_id, batch_seq, column_name)
);

-- The columns of each source table as they were seen last and are lived with:
-- what differs from these is a change. `declared` is the type in the source's
-- words.
create table audit.source_column (
    table_id text not null,
    column_name text not null,
    declared text not null,
    seen_at timestamptz not null default clock_timestamp(),
    primary key (table_id, column_name)
);

-- The tables whose log is being made again from raw; after a crash, half of it
-- is.
create table audit.replay (
    table_id text primary key,
    started_at timestamptz not null default clock_timestamp()
);

-- The primary or unique key of each source table that keeps the seed's key
-- unique, as it was seen last: empty where none does. `columns` are those of
-- the seed's key.
create table audit.source_key (
    table_id text primary key,
    columns text[] not null,
    unique_key text not null,
    seen_at timestamptz not null default clock_timestamp()
);

-- Each change of a source table's columns and keys, once. `action` is what came
-- of it.
create table audit.schema_change (
    run_id text not null references audit.run,
    table_id text not null,
    column_name text not null,
    change text not null check (
        change in ('added', 'dropped', 'retyped', 'rekeyed', 'settled')
    ),
    was text,
    now text,
    action text not null check (action in ('followed', 'reported', 'blocked')),
    message text not null,
    changed_at timestamptz not null default clock_timestamp()
);
create index schema_change_table on audit.schema_change (table_id);
-- What a model reads, frozen in its own transaction: (after_seq, through_seq].
-- Other environments than production have such a table of their own
-- (`dev_ada_audit`).
create table audit.model_claim (
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
-- Which values of a row filter's column a role may see; the seed's
-- row_access.csv.
create table audit.row_access (
    role_name text not null,
    column_name text not null,
    value text not null,
    primary key (role_name, column_name, value)
);

-- What each role was found to see after a build, of a relation or a column of
-- personal data; `message` says what is wrong where it does not hold.
create table audit.probe (
    run_id text not null references audit.run,
    role_name text not null,
    relation text not null,
    column_name text not null,
    pii text not null,
    message text not null,
    holds boolean not null,
    probed_at timestamptz not null default clock_timestamp()
);
create index probe_run on audit.probe (run_id);

-- The identities of the row ledger, as checked at the end of each run.
create table audit.ledger (
    run_id text not null references audit.run,
    table_id text not null,
    identity text not null,
    left_rows bigint not null,
    right_rows bigint not null,
    holds boolean generated always as (left_rows = right_rows) stored,
    -- Some of the rows that are not accounted for, by key; not of personal
    -- keys.
    sample text,
    primary key (run_id, table_id, identity)
);

-- The checksum of the project that the last build of an environment (target,
-- account and schemas) was made of; empty if it left something undone, after
-- which the next run builds everything.
create table audit.build_state (
    environment text primary key,
    built_from text not null,
    changed_at timestamptz not null default clock_timestamp()
);

-- The released batches that a file beside their manifest marks as such in the
-- lake.
create table audit.lake_mark (
    table_id text not null,
    batch_seq bigint not null,
    marked_at timestamptz not null default clock_timestamp(),
    primary key (table_id, batch_seq)
);

-- What Snowflake copied from the lake, by batch; `target` says which Snowflake.
create table audit.publication (
    table_id text not null,
    batch_seq bigint not null,
    run_id text not null references audit.run,
    target text not null,
    files integer not null,
    rows_loaded bigint not null,
    published_at timestamptz not null default clock_timestamp(),
    primary key (table_id, batch_seq)
);

-- How far each table is built in an environment.
create table audit.built_table (
    environment text not null,
    table_id text not null,
    through_seq bigint not null,
    primary key (environment, table_id)
);

-- What a fact of gold has derived: by what definition, and what of each table
-- it has read: through done_seq, and through_seq while it is built. As the
-- claims of silver, each environment has its own.
create table audit.gold_claim (
    model text not null,
    table_id text not null,
    definition text not null,
    through_seq bigint not null,
    done_seq bigint not null,
    primary key (model, table_id)
);
