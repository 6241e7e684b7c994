{% macro move_views(old, new) %}
    {{- return(adapter.dispatch('move_views')(old=old, new=new)) }}
{% endmacro %}

{#- Elsewhere a view stands on a name, whatever that is -#}
{% macro default__move_views(old, new) %}
    {{- return('') }}
{% endmacro %}

{#-
    What a view stands on has its present name in the view's definition, and that is
    written in full where nothing is on the search path.
-#}
{% macro postgres__move_views(old, new) %}
    {%- set sql -%}
do $move$
declare
    found record;
    path text = current_setting('search_path');
begin
    perform set_config('search_path', '', true);
    for found in
        {{- hold_views__on(old) }}
    loop
        begin
            execute format(
                'create or replace view %s%s as %s',
                found.oid::regclass,
                ' with (' || array_to_string(found.reloptions, ', ') || ')',
                replace(
                    pg_get_viewdef(found.oid),
                    format('%I.%I', '{{ old.schema }}', '{{ old.identifier }}'),
                    format('%I.%I', '{{ new.schema }}', '{{ new.identifier }}')
                )
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
    perform set_config('search_path', path, true);
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
        {{- move_views(
            old=make_backup_relation(to_relation, 'table'), new=to_relation
        ) -}}
    {%- endif -%}
{% endmacro %}
