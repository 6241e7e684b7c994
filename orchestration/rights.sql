-- name: grants
-- An owner's own rights are left out: ownership says them.
with recursive

of_extensions as (

    select
        classid,
        objid
    from pg_depend
    where deptype = 'e'

),

schemas as (

    select
        oid,
        nspname,
        nspowner,
        nspacl,
        nspname = any(%(schemas)s) as is_ours
    from pg_namespace
    where nspname !~ '^pg_' and nspname <> 'information_schema'

),

relations as (

    select
        pg_class.oid,
        schemas.nspname,
        pg_class.relname,
        pg_class.relkind,
        pg_class.relowner,
        pg_class.relacl,
        schemas.is_ours
    from pg_class
    inner join schemas on pg_class.relnamespace = schemas.oid
    where
        pg_class.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        and ('pg_class'::regclass, pg_class.oid) not in (
            select
                classid,
                objid
            from of_extensions
        )

),

-- Views of any schema that show what is in one of ours.
showing as (

    select oid
    from relations
    where is_ours
    union
    select pg_rewrite.ev_class
    from showing
    inner join pg_depend
        on
            pg_depend.refclassid = 'pg_class'::regclass
            and showing.oid = pg_depend.refobjid
            and pg_depend.classid = 'pg_rewrite'::regclass
    inner join pg_rewrite on pg_depend.objid = pg_rewrite.oid

),

kinds (letter, name) as (

    values
    ('r', 'tables'), ('S', 'sequences'), ('f', 'routines'), ('n', 'schemas')

),

things as (

    select
        case when relkind = 'S' then 'sequence' else 'relation' end as kind,
        nspname,
        relname as name,
        '' as column_name,
        relowner as owner,
        coalesce(
            relacl,
            acldefault(
                (case relkind when 'S' then 's' else 'r' end)::"char",
                relowner
            )
        ) as acl,
        format(
            '%%s%%I.%%I',
            case when relkind = 'S' then 'sequence ' end,
            nspname,
            relname
        ) as said,
        '' as ahead,
        oid in (select showing.oid from showing) as is_ours
    from relations
    union all
    select
        'relation',
        relations.nspname,
        relations.relname,
        quote_ident(pg_attribute.attname),
        relations.relowner,
        pg_attribute.attacl,
        format('%%I.%%I', relations.nspname, relations.relname),
        '',
        relations.oid in (select showing.oid from showing)
    from relations
    inner join pg_attribute on relations.oid = pg_attribute.attrelid
    where pg_attribute.attacl is not null and not pg_attribute.attisdropped
    union all
    select
        'schema',
        nspname,
        '',
        '',
        nspowner,
        coalesce(nspacl, acldefault('n', nspowner)),
        format('schema %%I', nspname),
        '',
        is_ours
    from schemas
    where
        ('pg_namespace'::regclass, schemas.oid) not in (
            select
                classid,
                objid
            from of_extensions
        )
    union all
    select
        'function',
        schemas.nspname,
        format(
            '%%s(%%s)',
            pg_proc.proname,
            pg_get_function_identity_arguments(pg_proc.oid)
        ),
        '',
        pg_proc.proowner,
        coalesce(pg_proc.proacl, acldefault('f', pg_proc.proowner)),
        format(
            'routine %%I.%%I(%%s)',
            schemas.nspname,
            pg_proc.proname,
            pg_get_function_identity_arguments(pg_proc.oid)
        ),
        '',
        schemas.is_ours or pg_proc.proowner in (
            select ours.nspowner
            from schemas as ours
            where ours.is_ours
        )
    from pg_proc
    inner join schemas on pg_proc.pronamespace = schemas.oid
    where pg_proc.prosecdef
    union all
    select
        'server',
        '',
        srvname,
        '',
        srvowner,
        coalesce(srvacl, acldefault('S', srvowner)),
        format('foreign server %%I', srvname),
        '',
        false
    from pg_foreign_server
    union all
    select
        'default',
        coalesce(schemas.nspname, ''),
        coalesce(kinds.name, 'types'),
        '',
        pg_default_acl.defaclrole,
        -- What everybody may by Postgres' own default is no grant of anyone.
        array(
            select acl
            from unnest(pg_default_acl.defaclacl) as acl
            where
                pg_default_acl.defaclnamespace <> 0
                or not acl = any(
                    acldefault(
                        lower(pg_default_acl.defaclobjtype)::"char",
                        pg_default_acl.defaclrole
                    )
                )
        ),
        coalesce(kinds.name, 'types'),
        format(
            'alter default privileges for role %%I%%s ',
            pg_get_userbyid(pg_default_acl.defaclrole),
            ' in schema ' || quote_ident(schemas.nspname)
        ),
        coalesce(schemas.is_ours, pg_default_acl.defaclrole in (
            select ours.nspowner
            from schemas as ours
            where ours.is_ours
        ))
    from pg_default_acl
    left join schemas on pg_default_acl.defaclnamespace = schemas.oid
    left join kinds on pg_default_acl.defaclobjtype::text = kinds.letter
    where
        pg_default_acl.defaclnamespace = 0 or schemas.oid is not null

)

select
    things.kind,
    things.nspname::text as schema,
    things.name::text as name,
    things.column_name,
    lower(acl.privilege_type) as may,
    coalesce(grantee.rolname::text, '') as grantee,
    owner.rolname::text as owner,
    things.said,
    things.ahead,
    things.is_ours
from things
cross join aclexplode(things.acl) as acl
inner join pg_roles as owner on things.owner = owner.oid
left join pg_roles as grantee on acl.grantee = grantee.oid
where
    acl.grantee <> things.owner
    and not coalesce(grantee.rolsuper, false)
    and (things.kind <> 'default' or things.name <> 'types')
order by 1, 2, 3, 4, 5;

-- name: memberships
-- Each role and those that it is a member of, by whatever way: the first step,
-- and what it leads to. What one of the four roles leads to is its own affair.
with recursive

steps as (

    select
        member,
        roleid as first,
        roleid
    from pg_auth_members
    union
    select
        steps.member,
        steps.first,
        pg_auth_members.roleid
    from steps
    inner join pg_auth_members on steps.roleid = pg_auth_members.member
    where steps.roleid::regrole::text <> all(%(named)s)

)

select
    member.rolname::text as member,
    first.rolname::text as first,
    role.rolname::text as role,
    pg_has_role(steps.member, steps.roleid, 'usage') as acts_as,
    role.rolsuper as is_superuser,
    array(
        select pg_get_userbyid(grantor)::text
        from pg_auth_members
        where
            pg_auth_members.member = steps.member
            and pg_auth_members.roleid = steps.first
        order by 1
    ) as grantors
from steps
inner join pg_roles as member on steps.member = member.oid
inner join pg_roles as first on steps.first = first.oid
inner join pg_roles as role on steps.roleid = role.oid
where not member.rolsuper and member.rolname !~ '^pg_'
order by 1, 2, 3;

-- name: owners
select rolname::text
from pg_roles
where
    rolname = current_user
    or oid in (
        select nspowner from pg_namespace
        where nspname in ('bronze', 'audit')
    );
