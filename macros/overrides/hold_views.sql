{% macro hold_views(relation) %}
    {{- return(adapter.dispatch('hold_views')(relation=relation)) }}
{% endmacro %}

{% macro default__hold_views(relation) %}
    {{- return('') }}
{% endmacro %}

{#-
    A reader locks a view, then the table. A build that locked the table first, and the
    view when it has it show the new table, would wait for a reader that waits for it.
    A view's owner is who it is; to say so locks the view and does no more.

    A definition names what the view stands on as that is called at the time, in full
    where nothing is on the search path; so it is noted before dbt renames anything.
-#}
{% macro postgres__hold_views(relation) %}
    {%- set sql -%}
do $hold$
declare
    found record;
    path text = current_setting('search_path');
begin
    drop table if exists pg_temp._held_view;
    create temporary table _held_view (
        id oid,
        options text,
        definition text
    ) on commit drop;
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
            and pg_depend.refobjid = to_regclass(
                '{{ relation.include(database=false) }}'
            )
            and pg_class.oid <> pg_depend.refobjid
            and pg_class.relkind = 'v'
            and pg_has_role(relowner, 'usage')
        order by pg_class.oid
    loop
        execute format(
            'alter view %s owner to %s', found.oid::regclass, found.relowner::regrole
        );
        insert into pg_temp._held_view (id, options, definition)
        values (found.oid, found.options, pg_get_viewdef(found.oid));
    end loop;
    perform set_config('search_path', path, true);
end
$hold$
    {%- endset -%}
    {%- do run_query(sql) -%}
    {{- return('') }}
{% endmacro %}
