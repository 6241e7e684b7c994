-- name: note
insert into audit.probe (
    run_id, role_name, relation, column_name, pii, message, holds
)
values (
    %(run_id)s,
    %(role_name)s,
    %(relation)s,
    %(column_name)s,
    %(pii)s,
    %(message)s,
    %(holds)s
);

-- name: note_again
-- What a look before has seen, as of then.
insert into audit.probe (
    run_id, role_name, relation, column_name, pii, message, holds, probed_at
)
select
    %(run_id)s,
    role_name,
    relation,
    column_name,
    pii,
    message,
    holds,
    probed_at
from audit.probe
where run_id = %(before)s and column_name <> '';

-- name: note_state
insert into audit.seen (environment, state, run_id)
values (%(environment)s, %(state)s, %(run_id)s)
on conflict (environment) do update set
    state = excluded.state, run_id = excluded.run_id;

-- name: seen_by
select run_id from audit.seen
where
    environment = %(environment)s
    and state = %(state)s
    and exists (
        select from audit.probe
        where probe.run_id = seen.run_id and probe.column_name <> ''
    );

-- name: state
-- Of relations, of functions that views may call, and of what is seen of rows.
with

relations as (

    select audit.state_of(array_agg(pg_class.oid)) as state
    from pg_class
    inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
    where
        pg_namespace.nspname = any(%(schemas)s)
        and pg_class.relkind in ('r', 'p', 'v', 'm', 'f')

),

functions as (

    select
        md5(string_agg(
            concat_ws(' ', pg_proc.oid, pg_proc.xmin),
            ',' order by pg_proc.oid
        )) as state
    from pg_proc
    inner join pg_namespace on pg_proc.pronamespace = pg_namespace.oid
    where pg_namespace.nspname = any(%(schemas)s)

),

rights_to_rows as (

    select
        md5(string_agg(row_access::text, ',' order by row_access::text))
            as state
    from audit.row_access

)

select
    relations.state,
    functions.state,
    rights_to_rows.state
from relations
cross join functions
cross join rights_to_rows;

-- name: environments
-- Those that a build has left a trace of, in the control tables or in its own,
-- whose serving schema is of the owner's or of somebody who may build.
with

built as (

    select substring(environment from '^postgres\.(.*)gold$') as prefix
    from audit.build_state
    union
    select substring(model from '^(.*)silver\.')
    from audit.model_claim
    union
    select substring(pg_namespace.nspname from '^(.+_)audit$')
    from pg_namespace
    inner join pg_class on pg_namespace.oid = pg_class.relnamespace
    where
        pg_class.relname = 'model_claim'
        and pg_class.relowner = pg_namespace.nspowner

)

select built.prefix
from built
inner join pg_namespace on pg_namespace.nspname = built.prefix || 'serving'
where
    pg_has_role(current_user, pg_namespace.nspowner, 'member')
    or exists (
        select from pg_roles
        where
            rolname = %(transformer)s
            and pg_has_role(pg_namespace.nspowner, pg_roles.oid, 'member')
    );

-- name: roles
-- Of those that are there: what makes that no right binds them.
select
    rolname::text,
    array_remove(
        array[
            case when rolsuper then 'superuser' end,
            case when rolbypassrls then 'bypassrls' end,
            case when rolcreaterole then 'createrole' end
        ],
        null
    )
from pg_roles
where rolname = any(%(names)s);

-- name: columns
-- The columns of each relation of a schema, and those of a text.
select
    pg_class.relname::text,
    array_agg(pg_attribute.attname::text),
    coalesce(
        array_agg(pg_attribute.attname::text) filter (
            where pg_attribute.atttypid in (
                'text'::regtype, 'varchar'::regtype
            )
        ),
        '{}'
    )
from pg_class
inner join pg_attribute on pg_class.oid = pg_attribute.attrelid
where
    pg_class.relnamespace = (
        select oid from pg_namespace
        where nspname = %(schema)s
    )
    and pg_class.relkind in ('r', 'p', 'v', 'm', 'f')
    and pg_attribute.attnum > 0
    and not pg_attribute.attisdropped
group by pg_class.relname;

-- name: clear_values
select distinct value
from (
    select {column_name}::text as value
    from {model}
    where length({column_name}::text) > 5
    limit %(at_most)s -- noqa: AM09
) as sample;

-- name: look
select {looks}
from (
    select *
    from {view}
    limit %(at_most)s -- noqa: AM09
) as seen;

-- name: users
-- Those that a killed probe has left.
select rolname::text
from pg_roles
where starts_with(rolname, 'seedbed_probe_') and rolvaliduntil < now();

-- name: soon
-- Until when a user of the probe may log in.
select (now() + interval '10 minutes')::text;

-- name: views
-- What is in a serving schema: whether it hides rows from functions of others,
-- and whether a build has made it, as the comment says of which definition.
select
    relname::text,
    relkind::text,
    relkind = 'v'
    and coalesce('security_barrier=true' = any(reloptions), false)
        as is_protected,
    coalesce(obj_description(oid, 'pg_class'), '') like '%%(seedbed %% ' || (
        select md5(ev_action::text)
        from pg_rewrite
        where ev_class = pg_class.oid and rulename = '_RETURN'
    ) || ')' as is_built
from pg_class
where
    relnamespace = (
        select oid from pg_namespace
        where nspname = %(schema)s
    )
order by relname;
