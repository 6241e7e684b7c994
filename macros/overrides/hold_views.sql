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
-#}
{% macro postgres__hold_views(relation) %}
    {%- set sql -%}
do $hold$
declare
    found record;
begin
    for found in
        {{- hold_views__on(relation) }}
    loop
        execute format(
            'alter view %s owner to %s', found.oid::regclass, found.relowner::regrole
        );
    end loop;
end
$hold$
    {%- endset -%}
    {%- do run_query(sql) -%}
    {{- return('') }}
{% endmacro %}

{#- The views that stand on a relation and may be replaced -#}
{% macro hold_views__on(relation) %}
        select distinct
            pg_class.oid,
            relowner,
            reloptions
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
{% endmacro %}
