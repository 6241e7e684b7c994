{% macro move_views() %}
    {{- return(adapter.dispatch('move_views')()) }}
{% endmacro %}

{#- Elsewhere a view stands on a name, whatever that is -#}
{% macro default__move_views() %}
    {{- return('') }}
{% endmacro %}

{% macro postgres__move_views() %}
    {%- set sql -%}
do $move$
declare
    found record;
begin
    if to_regclass('pg_temp._held_view') is null then
        return;
    end if;
    for found in select * from pg_temp._held_view
    loop
        begin
            execute format(
                'create or replace view %s%s as %s',
                found.id::regclass,
                ' with (' || found.options || ')',
                found.definition
            );
        exception when
            undefined_column
            or undefined_function
            or datatype_mismatch
            or cannot_coerce
            or invalid_table_definition
        then
            null;
        end;
    end loop;
    drop table pg_temp._held_view;
end
$move$
    {%- endset -%}
    {%- do run_query(sql) -%}
    {{- return('') }}
{% endmacro %}

{% macro move_views__is_there(relation) %}
    {%- set name = relation.include(database=false) -%}
    {%- set found = run_query("select to_regclass('" ~ name ~ "') is not null") -%}
    {{- return(found.rows[0][0]) }}
{% endmacro %}

{#- An old relation that a view keeps in place makes room for the next -#}
{% macro move_views__set_aside(relation) %}
    {%- set sql -%}
do $aside$
declare
    kept regclass = to_regclass('{{ relation.include(database=false) }}');
begin
    if kept is not null then
        execute format('alter table %s rename to %I', kept, '_replaced_' || kept::oid);
    end if;
end
$aside$
    {%- endset -%}
    {%- do run_query(sql) -%}
    {{- return('') }}
{% endmacro %}

{#-
    dbt puts a new table or view in the old one's place by two renames, and drops the
    old one with all views that stand on it. Those of the project are built again, but
    only once the tests between have passed, and others never are. So all are put on
    the new relation where it comes to be, in its transaction, and stay what they were:
    owner, rights, options and comments.

    The old one stays in its place where it is a view that would be made the same, or a
    table that somebody reads for long and that has got the new rows: nobody waits.
-#}
{% macro postgres__rename_relation(from_relation, to_relation) %}
    {%- if to_relation.identifier.endswith('__dbt_backup') -%}
        {%- set replacement = make_intermediate_relation(from_relation) -%}
        {%- if not hold_views__is_same(from_relation, replacement) -%}
            {{- hold_views(relation=from_relation, replacement=replacement) -}}
            {%- if move_views__is_there(replacement) -%}
                {{- move_views__set_aside(to_relation) -}}
                {{- default__rename_relation(from_relation, to_relation) -}}
            {%- endif -%}
        {%- endif -%}
    {%- elif move_views__is_there(to_relation) -%}
        {%- do run_query(
            'drop view if exists ' ~ from_relation
        ) if move_views__is_there(from_relation) -%}
    {%- else -%}
        {{- default__rename_relation(from_relation, to_relation) -}}
        {{- move_views() -}}
    {%- endif -%}
{% endmacro %}
