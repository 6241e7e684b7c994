{#-
    A reader locks a view, then the table. A build that locked the table first,
    and then the view to move it, could deadlock with a reader. Setting a view's
    owner to its present owner locks the view and has no other effect. A
    definition names the relation by its present name, in full if the search
    path is empty; so it is stored before dbt renames anything. A transaction
    that has read the table, of a backup or an open reader, is waited for one
    second. Then the table stays and gets the rows of its replacement, if both
    have the same structure, which blocks no one. With another structure, the
    build waits.
-#}
{% macro hold_views(relation, replacement) %}
    {%- set sql -%}
do $hold$
declare
    found record;
    path text = current_setting('search_path');
    patience text = current_setting('lock_timeout');
    old regclass = to_regclass('{{ relation.include(database=false) }}');
    new regclass = to_regclass('{{ replacement.include(database=false) }}');
    is_alike boolean = {{ hold_views__is_alike() | indent(4) }};
    names text;
begin
    -- Another thread may be making a view again that stands on both its tables.
    if has_table_privilege(to_regclass('audit.lock'), 'update') then
        perform from audit.lock where name = 'views' for update;
    end if;
    drop table if exists pg_temp._held_view;
    create temporary table _held_view (
        id oid,
        options text,
        definition text
    ) on commit drop;
    begin
        if is_alike then
            perform set_config('lock_timeout', '1s', true);
        end if;
        perform set_config('search_path', '', true);
        for found in
            select distinct
                pg_class.oid,
                relowner,
                array_to_string(reloptions, ', ') as options
            from pg_catalog.pg_depend
            inner join pg_catalog.pg_rewrite on pg_rewrite.oid = pg_depend.objid
            inner join pg_catalog.pg_class on pg_class.oid = pg_rewrite.ev_class
            where
                pg_depend.classid = 'pg_catalog.pg_rewrite'::regclass
                and pg_depend.refclassid = 'pg_catalog.pg_class'::regclass
                and pg_depend.refobjid = old
                and pg_class.oid <> pg_depend.refobjid
                and pg_class.relkind = 'v'
                and pg_has_role(relowner, 'usage')
            order by pg_class.oid
        loop
            execute format(
                'alter view %s owner to %s',
                found.oid::regclass,
                found.relowner::regrole
            );
            insert into pg_temp._held_view (id, options, definition)
            values (found.oid, found.options, pg_get_viewdef(found.oid));
        end loop;
        if is_alike then
            execute format('lock table %s in access exclusive mode', old);
        end if;
        perform set_config('search_path', path, true);
        perform set_config('lock_timeout', patience, true);
    exception when lock_not_available then
        if not is_alike then
            raise;
        end if;
        select string_agg(quote_ident(attname), ', ')
        into names
        from pg_catalog.pg_attribute
        where attrelid = new and attnum > 0 and not attisdropped;
        execute format('delete from %s', old);
        execute format(
            'insert into %1$s (%3$s) select %3$s from %2$s', old, new, names
        );
        execute format('drop table %s', new);
    end;
end
$hold$
    {%- endset -%}
    {%- do run_query(sql) -%}
    {{- return('') }}
{% endmacro %}

{#-
    Two tables with the same columns, constraints and indexes. An incremental
    model gets its indexes after the renames, so one that has some waits.
-#}
{% macro hold_views__is_alike() -%}
(
    select
        count(*) = 2
        and min(columns) = max(columns)
        and min(constraints) = max(constraints)
        and min(indexes) = max(indexes)
    from (
        select
            (
                select string_agg(
                    concat_ws(
                        ' ',
                        attname,
                        format_type(atttypid, atttypmod),
                        attnotnull
                    ),
                    ', '
                    order by attname
                )
                from pg_catalog.pg_attribute
                where
                    attrelid = pg_class.oid
                    and attnum > 0
                    and not attisdropped
            ) as columns,
            array(
                select pg_get_constraintdef(oid)
                from pg_catalog.pg_constraint
                where conrelid = pg_class.oid
                order by 1
            )::text as constraints,
            array(
                select
                    substring(pg_get_indexdef(indexrelid) from ' USING .*')
                    || indisunique
                from pg_catalog.pg_index
                where indrelid = pg_class.oid
                order by 1
            )::text as indexes
        from pg_catalog.pg_class
        where oid in (old, new) and relkind = 'r'
    ) as tables
)
{%- endmacro %}
