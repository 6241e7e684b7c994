-- name: seen
select
    column_name,
    declared
from audit.source_column
where table_id = %(table_id)s;

-- name: seen_key
-- What was seen for an earlier key of the seed does not apply to today's.
select unique_key
from audit.source_key
where table_id = %(table_id)s and columns = %(columns)s;

-- name: newest_changes
select distinct on (column_name)
    column_name,
    change,
    now,
    action
from audit.schema_change
where table_id = %(table_id)s
order by column_name asc, changed_at desc;

-- name: note_change
insert into audit.schema_change (
    run_id, table_id, column_name, change, was, now, action, message
)
values (
    %(run_id)s,
    %(table_id)s,
    %(column_name)s,
    %(change)s,
    %(was)s,
    %(now)s,
    %(action)s,
    %(message)s
);

-- name: see
-- Columns that are neither in `declared` nor in `kept` are seen no more.
with

seen as (

    select
        source.key as column_name,
        source.value as declared
    from jsonb_each_text(%(declared)s) as source

),

forgotten as (

    delete from audit.source_column
    where
        table_id = %(table_id)s
        and column_name not in (select seen.column_name from seen)
        and column_name <> all(%(kept)s)

)

insert into audit.source_column (table_id, column_name, declared)
select
    %(table_id)s,
    column_name,
    declared
from seen
on conflict (table_id, column_name) do update
    set
        declared = excluded.declared,
        seen_at = clock_timestamp();

-- name: see_key
insert into audit.source_key (table_id, columns, unique_key)
values (%(table_id)s, %(columns)s, %(unique_key)s)
on conflict (table_id) do update
    set
        columns = excluded.columns,
        unique_key = excluded.unique_key,
        seen_at = clock_timestamp();
