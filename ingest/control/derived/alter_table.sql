-- Alters a table that views stand on. Postgres changes no type of a column that
-- a view shows, so the views are dropped and made again as they were: owner,
-- rights, options and comments too. All of it or nothing, in the caller's
-- transaction.
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
    -- Another thread may be making a view again that stands on both its tables.
    if has_table_privilege('audit.lock', 'update') then
        perform from audit.lock where name = 'views' for update;
    end if;
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
