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
-#}
{% macro postgres__rename_relation(from_relation, to_relation) %}
    {%- if to_relation.identifier.endswith('__dbt_backup') -%}
        {{- hold_views(relation=from_relation) -}}
        {{- move_views__set_aside(to_relation) -}}
        {{- default__rename_relation(from_relation, to_relation) -}}
    {%- else -%}
        {{- default__rename_relation(from_relation, to_relation) -}}
        {{- move_views() -}}
    {%- endif -%}
{% endmacro %}
