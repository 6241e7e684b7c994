-- The control tables. The runner owns them; statements are safe to repeat. They run
-- where `audit.schema_version` has another version or checksum of this file. An older
-- Seedbed refuses a newer version: what it could not work with raises the number.
-- version 1
create schema if not exists audit;
create schema if not exists bronze;

-- Who holds what, for as long as the session lives that took it: a row is held by
-- the session of `pid` that began at `session_start`.
create table if not exists audit.lock (
    name text primary key,
    pid integer,
    session_start timestamptz,
    taken_at timestamptz not null default clock_timestamp()
);
-- dbt's commands take turns here while they make roles and rights.
insert into audit.lock (name) values ('security') on conflict do nothing;

-- Whether a session lives. Of another user's session nobody sees when it began.
create or replace function audit.is_alive(pid integer, session_start timestamptz)
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
alter table audit.run add column if not exists
retries integer not null default 0;
-- The orchestrator's name of a run whose steps are processes of their own:
-- `dag/run of it`. Null where one process is the whole run.
alter table audit.run add column if not exists orchestrated_by text unique;

-- How far each table came in a run: its last batch's state, `busy` or `failed`.
create table if not exists audit.run_table (
    run_id text not null references audit.run,
    table_id text not null,
    state text not null,
    error text,
    retries integer not null default 0,
    primary key (run_id, table_id)
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
    -- backfill and reload read the watermarks from `range_start` to before
    -- `range_end`; window_low and window_high then stay where they were.
    kind text not null default 'window'
        check (kind in ('window', 'backfill', 'reload', 'repair')),
    range_start timestamp,
    range_end timestamp,
    planned_at timestamptz not null default clock_timestamp(),
    decided_at timestamptz,
    primary key (table_id, batch_seq)
);
-- What a person decided about a rejected batch: who, what and why.
alter table audit.batch add column if not exists decision text;
-- The size of its files in the lake.
alter table audit.batch add column if not exists raw_bytes bigint;
alter table audit.batch add column if not exists bronze_bytes bigint;
-- The keys that a scan found to be gone from the source.
alter table audit.batch add column if not exists keys_gone bigint;
-- Some of the rows that one of its identities lacks, by key; not of personal keys.
alter table audit.batch add column if not exists unaccounted text;
-- First in, first out: a table has one batch under way at most.
create unique index if not exists batch_under_way on audit.batch (table_id)
where state in ('planned', 'extracted', 'loaded');

-- The ranges of the leading key that a big first load is cut into; a range that
-- has `parts` was read and is not read again. `low` is in the range, `high` is not.
create table if not exists audit.batch_range (
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

-- What a comparison of a table with its source came to, in keys: `missing` in the
-- log, `stale` there, and `extra`: live in the log and gone from the source.
create table if not exists audit.reconciliation (
    run_id text not null references audit.run,
    table_id text not null,
    compared bigint not null,
    missing bigint not null,
    stale bigint not null,
    extra bigint not null,
    compared_at timestamptz not null default clock_timestamp(),
    primary key (run_id, table_id)
);
-- Rows of the log that the model does not show as they are, and whether all of it
-- was as it should be.
alter table audit.reconciliation add column if not exists
unbuilt bigint not null default 0;
alter table audit.reconciliation add column if not exists
is_equal boolean not null default false;

-- What is released, one row a table: batches are first in, first out, so one
-- number says it. `snapshot_seq` is the newest full snapshot among them,
-- `released_high` the watermark, `observed_at` the time the data are true of.
create table if not exists audit.table_state (
    table_id text primary key,
    released_through bigint not null,
    snapshot_seq bigint not null default 0,
    released_high timestamp,
    observed_at timestamp not null,
    keys_scanned_at timestamp,
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

-- What each rule saw, of all layers: one row a rule of a table and run. `batch_seq`
-- is null past the gate, `failing_rows` where a rule does not count rows. No value
-- of a row is in it.
do $$
begin
    if to_regclass('audit.quality_result') is not null then
        alter table audit.quality_result rename to dq_result;
        alter table audit.dq_result rename column check_name to rule_id;
        alter table audit.dq_result drop constraint quality_result_pkey;
        alter table audit.dq_result alter column batch_seq drop not null;
        alter table audit.dq_result add column layer text not null default 'gate';
        alter table audit.dq_result alter column layer drop default;
        alter table audit.dq_result add column failing_rows bigint;
        alter table audit.dq_result add column seconds double precision;
    end if;
end
$$;
create table if not exists audit.dq_result (
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
create unique index if not exists dq_result_rule on audit.dq_result
(run_id, layer, table_id, rule_id, coalesce(batch_seq, 0));

-- The rows for which the gate rejected a batch, one row a rule that fails. `row`
-- holds what the log has of the seed's columns, personal data as well. Once a person
-- has released the batch without them, they count as read until they change.
create table if not exists audit.quarantine (
    table_id text not null,
    batch_seq bigint not null,
    rule_id text not null,
    row_hash bytea not null,
    source_ts timestamp not null,
    row json not null,
    kept_at timestamptz not null default clock_timestamp()
);
create index if not exists quarantine_batch
on audit.quarantine (table_id, batch_seq);

-- What a person should look at, one row from when it is found until it is over: an
-- alert is open while its condition holds (audit.refresh_alerts), and a table has one of
-- a kind open at most. `occurred_at` is when the fault came about, so that
-- `raised_at` tells the time to detect it, and `closed_at` the time to recover.
create table if not exists audit.alert (
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
do $$
begin
    if not exists (
        select from information_schema.columns
        where
            table_schema = 'audit'
            and table_name = 'alert'
            and column_name = 'closed_at'
    ) then
        alter table audit.alert alter column run_id drop not null;
        alter table audit.alert
        add column kind text not null default 'table_blocked',
        add column occurred_at timestamptz not null default clock_timestamp(),
        add column closed_at timestamptz;
        -- What still holds is opened again at the end of the next run.
        update audit.alert set occurred_at = raised_at, closed_at = raised_at;
    end if;
end
$$;
create unique index if not exists alert_open
on audit.alert (kind, coalesce(table_id, '')) where closed_at is null;

-- What each channel was told: `subject` is `alert/7/opened`, `alert/7/closed` or
-- `run/<run_id>`. Without `sent_at` it is still to be sent, but for the first `parts`
-- of it.
create table if not exists audit.delivery (
    channel text not null,
    subject text not null,
    sent_at timestamptz,
    tries integer not null default 0,
    error text,
    primary key (channel, subject)
);
alter table audit.delivery add column if not exists
parts integer not null default 0;

-- The seed's tables as the last run knew them: whose they are, on which clock their
-- watermark is, and how old their released data may get.
create table if not exists audit.source_table (
    table_id text primary key,
    load_type text not null,
    owner text not null,
    timezone text not null,
    warn_minutes integer not null,
    error_minutes integer not null
);

-- The steps of a run, one row a table and step; the table is empty for those of all.
create table if not exists audit.step (
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
create index if not exists step_run on audit.step (run_id);

-- What dbt made of each model and snapshot in a run's build of a target, postgres or
-- snowflake; `rows` where it says so.
create table if not exists audit.model_run (
    run_id text not null references audit.run,
    model text not null,
    layer text not null,
    status text not null,
    rows bigint,
    started_at timestamptz not null,
    ended_at timestamptz not null
);
alter table audit.model_run add column if not exists
target text not null default 'postgres';
alter table audit.model_run drop constraint if exists model_run_pkey;
create unique index if not exists model_run_built
on audit.model_run (run_id, target, model);

-- Each drill: a backup restored beside the warehouse, and what came of it.
create table if not exists audit.drill_result (
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
create table if not exists audit.quality_score (
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
-- personal data no value is kept, only counts and lengths. `quantiles` (5, 25, 50,
-- 75, 95 %; times as seconds since 1970) are estimates, `distinct_count` in batches of
-- more than 100,000 rows.
create table if not exists audit.column_profile (
    table_id text not null,
    batch_seq bigint not null,
    column_name text not null,
    rows bigint not null,
    nulls bigint not null,
    distinct_count bigint,
    least text,
    greatest text,
    quantiles double precision [],
    mean double precision,
    deviation double precision,
    shortest integer,
    longest integer,
    mean_length double precision,
    profiled_at timestamptz not null default clock_timestamp(),
    primary key (table_id, batch_seq, column_name)
);

-- The columns of each source table as they were seen last and are lived with: what
-- differs from these is a change. `declared` is the type in the source's words.
create table if not exists audit.source_column (
    table_id text not null,
    column_name text not null,
    declared text not null,
    seen_at timestamptz not null default clock_timestamp(),
    primary key (table_id, column_name)
);

-- The tables whose log is being made anew from raw; after a crash, half of it is.
create table if not exists audit.replay (
    table_id text primary key,
    started_at timestamptz not null default clock_timestamp()
);

-- The primary or unique key of each source table that keeps the seed's key unique,
-- as it was seen last: empty where none does. `columns` are those of the seed's key.
create table if not exists audit.source_key (
    table_id text primary key,
    columns text [] not null,
    unique_key text not null,
    seen_at timestamptz not null default clock_timestamp()
);

-- Each change of a source table's columns and keys, once. `action` is what came of it.
create table if not exists audit.schema_change (
    run_id text not null references audit.run,
    table_id text not null,
    column_name text not null,
    change text not null check (
        change in ('added', 'dropped', 'retyped', 'rekeyed', 'settled')
    ),
    was text,
    now text,
    action text not null check (action in ('followed', 'told', 'blocked')),
    told text not null,
    changed_at timestamptz not null default clock_timestamp()
);
create index if not exists schema_change_table on audit.schema_change (table_id);
do $$
begin
    if not exists (
        select from pg_constraint
        where
            conrelid = 'audit.schema_change'::regclass
            and pg_get_constraintdef(oid) like '%rekeyed%'
    ) then
        alter table audit.schema_change
        drop constraint schema_change_change_check,
        add constraint schema_change_change_check check (
            change in ('added', 'dropped', 'retyped', 'rekeyed', 'settled')
        );
    end if;
end
$$;

-- What a model reads, frozen in its own transaction: (after_seq, through_seq]. Other
-- environments than production have such a table of their own (`dev_ada_audit`).
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
-- Those who could write it to build an environment of their own could write all of it.
do $$
declare
    grantee regrole;
begin
    for grantee in
        select acl.grantee
        from pg_class
        cross join aclexplode(pg_class.relacl) as acl
        where
            pg_class.oid = 'audit.model_claim'::regclass
            and acl.grantee not in (0, pg_class.relowner)
        group by acl.grantee
        having
            bool_or(acl.privilege_type in ('INSERT', 'UPDATE'))
            and not bool_or(acl.privilege_type = 'DELETE')
    loop
        execute format(
            'revoke insert, update on audit.model_claim from %s', grantee
        );
    end loop;
end
$$;

-- Which values of a row filter's column a role may see; the seed's row_access.csv.
create table if not exists audit.row_access (
    role_name text not null,
    column_name text not null,
    value text not null,
    primary key (role_name, column_name, value)
);

-- What each role was found to see after a build, of a relation or a column of
-- personal data; `told` says what is wrong where it does not hold.
create table if not exists audit.probe (
    run_id text not null references audit.run,
    role_name text not null,
    relation text not null,
    column_name text not null,
    pii text not null,
    told text not null,
    holds boolean not null,
    probed_at timestamptz not null default clock_timestamp()
);
create index if not exists probe_run on audit.probe (run_id);

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
-- Some of the rows that are not accounted for, by key; not of personal keys.
alter table audit.ledger add column if not exists sample text;

-- The identities of each batch. The numbers of one are taken apart from each other:
-- `source_rows` is counted by the source, `rows_read` in the raw files, what became
-- of them in the bronze files, and `rows_loaded` in the log. The gate holds back a
-- batch of which one fails.
create or replace view audit.batch_identity as
select
    batch.run_id,
    batch.table_id,
    batch.batch_seq,
    identity.rule_id,
    identity.identity,
    identity.left_rows,
    identity.right_rows,
    identity.left_rows = identity.right_rows as holds,
    batch.unaccounted
from audit.batch
cross join lateral (
    values
    ('rows_read', 'source = read', source_rows, rows_read),
    (
        'rows_accounted',
        'read = written + unchanged + rejected',
        rows_read,
        rows_written + rows_unchanged + rows_rejected
    ),
    ('keys_deleted', 'gone = deleted', keys_gone, rows_deleted),
    (
        'rows_as_in_manifest',
        'written + deleted = loaded',
        rows_written + rows_deleted,
        rows_loaded
    )
) as identity (rule_id, identity, left_rows, right_rows)
where identity.left_rows is not null and identity.right_rows is not null;

-- Whether the last build of a place left nothing undone. After one that did,
-- the next run builds everything.
create table if not exists audit.build_state (
    place text primary key,
    is_complete boolean not null,
    changed_at timestamptz not null default clock_timestamp()
);

-- The released batches that a file beside their manifest marks as such in the lake.
create table if not exists audit.lake_mark (
    table_id text not null,
    batch_seq bigint not null,
    marked_at timestamptz not null default clock_timestamp(),
    primary key (table_id, batch_seq)
);

-- What Snowflake copied from the lake, by batch; `lane` says which Snowflake.
create table if not exists audit.publication (
    table_id text not null,
    batch_seq bigint not null,
    run_id text not null references audit.run,
    lane text not null,
    files integer not null,
    rows_loaded bigint not null,
    published_at timestamptz not null default clock_timestamp(),
    primary key (table_id, batch_seq)
);

-- How far each table is built in a place.
create table if not exists audit.built_table (
    place text not null,
    table_id text not null,
    through_seq bigint not null,
    primary key (place, table_id)
);

-- What a fact of gold has derived: by what definition, and what of each table it has
-- read: through done_seq, and through_seq while it is built. As the claims of silver,
-- each environment's own.
create table if not exists audit.gold_claim (
    model text not null,
    table_id text not null,
    definition text not null,
    through_seq bigint not null,
    done_seq bigint not null,
    primary key (model, table_id)
);

-- Opens the alerts whose condition holds and closes those where it is over. What is
-- open already only gets its newest message.
create or replace function audit.refresh_alerts()
returns void
language sql
as $$
    with

    newest_batch as (

        select distinct on (table_id) *
        from audit.batch
        where state in ('released', 'rejected', 'superseded')
        order by table_id asc, batch_seq desc

    ),

    failed_run as (

        select *
        from audit.run
        where state <> 'running'
        order by ended_at desc
        limit 1

    ),

    aged as (

        select
            source_table.*,
            table_state.observed_at at time zone 'utc' as read_at
        from audit.source_table
        inner join audit.table_state
            on table_state.table_id = source_table.table_id

    ),

    -- When a table was last seen to be as its source: by `reconcile`, or by a run
    -- that read it whole and lost nothing up to silver.
    compared as (

        select
            table_id,
            compared_at
        from audit.reconciliation
        where is_equal

        union all

        select
            ledger.table_id,
            max(run.started_at)
        from audit.ledger
        inner join audit.run on run.run_id = ledger.run_id
        inner join audit.source_table
            on source_table.table_id = ledger.table_id
        where source_table.load_type = 'full'
        group by ledger.table_id, ledger.run_id
        having
            bool_and(ledger.holds)
            and bool_or(
                ledger.identity = 'live keys of the log = live keys of silver'
            )

    ),

    equal as (

        select
            table_id,
            max(compared_at) as compared_at
        from compared
        group by table_id

    ),

    -- A table that lost rows once is trusted again when it was compared.
    unbalanced as (

        select distinct on (ledger.table_id)
            ledger.*,
            run.started_at,
            source_table.load_type
        from audit.ledger
        inner join audit.run on run.run_id = ledger.run_id
        left join audit.source_table
            on source_table.table_id = ledger.table_id
        left join equal on equal.table_id = ledger.table_id
        where
            not ledger.holds
            and (
                equal.compared_at is null
                or equal.compared_at < run.started_at
            )
        order by ledger.table_id asc, run.started_at desc, ledger.identity asc

    ),

    holding as (

        select
            'table_unbalanced' as kind,
            run_id,
            table_id,
            null::bigint as batch_seq,
            'block' as severity,
            format(
                '%s: %s ≠ %s%s. Rows are not accounted for: type `./seedbed run`, '
                'then `%s`, which closes this once all is equal',
                identity,
                left_rows,
                right_rows,
                ' (' || sample || ')',
                case load_type when 'full' then './seedbed run'
                    else './seedbed reconcile --tables ' || table_id end
            ) as message,
            started_at as occurred_at
        from unbalanced

        union all

        select
            'table_blocked',
            run_id,
            table_id,
            batch_seq,
            'block',
            reason,
            planned_at
        from newest_batch
        where state = 'rejected'

        union all

        select
            'run_failed',
            run_id,
            null,
            null,
            'block',
            format(
                '%s failed: %s',
                command || coalesce(' (' || orchestrated_by || ')', ''),
                coalesce(nullif(split_part(error, E'\n', 1), ''), 'see its log')
            ),
            started_at
        from failed_run
        where state = 'failed'

        union all

        select
            'table_stale',
            null,
            table_id,
            null,
            case
                when read_at + error_minutes * interval '1 minute'
                < clock_timestamp() then 'block'
                else 'warn'
            end,
            format(
                'what is released was read at %s UTC; %s minutes at most are promised',
                to_char(read_at at time zone 'utc', 'YYYY-MM-DD HH24:MI'),
                warn_minutes
            ),
            read_at + warn_minutes * interval '1 minute'
        from aged
        where read_at + warn_minutes * interval '1 minute' < clock_timestamp()

        union all

        -- It is over once the run that was late has ended.
        select
            alert.kind,
            alert.run_id,
            alert.table_id,
            alert.batch_seq,
            alert.severity,
            alert.message,
            alert.occurred_at
        from audit.alert
        inner join audit.run on run.run_id = alert.run_id
        where
            alert.kind = 'deadline_missed'
            and alert.closed_at is null
            and run.state = 'running'

    ),

    closed as (

        update audit.alert
        set closed_at = clock_timestamp()
        where
            closed_at is null
            and not exists (
                select from holding
                where
                    holding.kind = alert.kind
                    and holding.table_id is not distinct from alert.table_id
            )

    )

    insert into audit.alert as alert (
        kind, run_id, table_id, batch_seq, severity, message, occurred_at
    )
    select
        kind,
        run_id,
        table_id,
        batch_seq,
        severity,
        coalesce(message, kind),
        occurred_at
    from holding
    on conflict (kind, coalesce(table_id, '')) where closed_at is null
    do update set
        severity = excluded.severity,
        batch_seq = excluded.batch_seq,
        message = excluded.message
    where
        (alert.severity, alert.batch_seq, alert.message)
        is distinct from (excluded.severity, excluded.batch_seq, excluded.message)
$$;

-- Alters a table that views stand on. Postgres changes no type of a column that a
-- view shows, so the views are dropped and made again as they were: owner, rights,
-- options and comments too. All of it or nothing, in the caller's transaction.
create or replace function audit.alter_table(relation regclass, actions text)
returns void
language plpgsql
as $$
declare
    view record;
    views text[] := '{}';
    restore text[] := '{}';
    statement text;
begin
    for view in
        with recursive below as (
            select
                relation::oid as id,
                0 as depth
            union
            select
                pg_rewrite.ev_class,
                below.depth + 1
            from below
            join pg_depend
                on pg_depend.refclassid = 'pg_class'::regclass
                and pg_depend.refobjid = below.id
                and pg_depend.classid = 'pg_rewrite'::regclass
            join pg_rewrite
                on pg_rewrite.oid = pg_depend.objid
                and pg_rewrite.ev_class <> below.id
        )
        select
            pg_class.oid::regclass::text as name,
            pg_class.*
        from pg_class
        join (
            select id, max(depth) as depth from below group by id
        ) as deepest on deepest.id = pg_class.oid
        where deepest.depth > 0 and pg_class.relkind = 'v'
        order by deepest.depth
    loop
        views := views || view.name;
        restore := restore || array[
            format(
                'create view %s%s as %s',
                view.name,
                ' with (' || array_to_string(view.reloptions, ', ') || ')',
                pg_get_viewdef(view.oid)
            ),
            format('alter view %s owner to %s', view.name, view.relowner::regrole)
        ] || array(
            select format(
                'grant %s on %s to %s%s',
                acl.privilege_type,
                view.name,
                case acl.grantee when 0 then 'public'
                    else acl.grantee::regrole::text end,
                case when acl.is_grantable then ' with grant option' end
            )
            from aclexplode(view.relacl) as acl
            where acl.grantee <> view.relowner
        ) || array(
            select format(
                'grant %s (%I) on %s to %s%s',
                acl.privilege_type,
                attribute.attname,
                view.name,
                case acl.grantee when 0 then 'public'
                    else acl.grantee::regrole::text end,
                case when acl.is_grantable then ' with grant option' end
            )
            from pg_attribute as attribute
            cross join aclexplode(attribute.attacl) as acl
            where attribute.attrelid = view.oid
        ) || array(
            select format(
                'comment on %s is %L',
                case description.objsubid when 0 then 'view ' || view.name
                    else format('column %s.%I', view.name, attribute.attname) end,
                description.description
            )
            from pg_description as description
            left join pg_attribute as attribute
                on attribute.attrelid = description.objoid
                and attribute.attnum = description.objsubid
            where
                description.objoid = view.oid
                and description.classoid = 'pg_class'::regclass
        );
    end loop;
    if cardinality(views) > 0 then
        execute 'drop view ' || array_to_string(views, ', ');
    end if;
    execute format('alter table %s %s', relation, actions);
    foreach statement in array restore loop
        execute statement;
    end loop;
end
$$;

-- JSON as one text, whatever wrote it: keys sorted by their bytes, no blanks, numbers
-- without zeros at their end. Parity compares it with Snowflake's.
create or replace function audit.json_text(value jsonb)
returns text
language plpgsql
immutable strict
as $$
begin
    return case jsonb_typeof(value)
        when 'object' then '{' || coalesce((
            select string_agg(
                to_jsonb(member.key)::text || ':' || audit.json_text(member.value),
                ',' order by member.key collate "C"
            )
            from jsonb_each(value) as member
        ), '') || '}'
        when 'array' then '[' || coalesce((
            select string_agg(
                audit.json_text(item.value), ',' order by item.ordinality
            )
            from jsonb_array_elements(value) with ordinality as item (value, ordinality)
        ), '') || ']'
        when 'number' then trim_scale((value #>> '{}')::numeric)::text
        else value::text
    end;
end
$$;
