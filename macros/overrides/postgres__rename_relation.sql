{#-
    dbt replaces a table or view by two renames, and drops the old one with all
    views that read it. Those of the project are built again, but only once the
    tests in between have passed, and others never are. So all of them are moved
    to the new relation, in its transaction, and keep owner, rights, options and
    comments. The old relation stays if it is an unchanged view, or a table that
    is read for long and has been given the new rows: then no one waits.
-#}
{% macro postgres__rename_relation(from_relation, to_relation) %}
    {%- if to_relation.identifier.endswith('__dbt_backup') -%}
        {{- rename_relation__make_way(
            from_relation, make_intermediate_relation(from_relation), to_relation
        ) -}}
    {%- else -%}
        {%- set stands = rename_relation__is_there(to_relation) -%}
        {%- if stands and rename_relation__is_there(from_relation) -%}
            {#- dbt may not know of a view that kept what was below it before -#}
            {{- rename_relation__make_way(
                to_relation,
                from_relation,
                make_backup_relation(to_relation, 'view')
            ) -}}
            {%- set stands = rename_relation__is_there(to_relation) -%}
        {%- endif -%}
        {%- if stands -%}
            {%- do run_query('drop view if exists ' ~ from_relation) -%}
        {%- else -%}
            {{- default__rename_relation(from_relation, to_relation) -}}
            {{- move_views() -}}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{#- Renames what is there to its backup, unless it stays -#}
{% macro rename_relation__make_way(relation, replacement, backup) %}
    {%- if not rename_relation__is_same(relation, replacement) -%}
        {{- hold_views(relation=relation, replacement=replacement) -}}
        {%- if rename_relation__is_there(replacement) -%}
            {{- rename_relation__set_aside(backup) -}}
            {{- default__rename_relation(relation, backup) -}}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{#- Whether a view is unchanged: then it is not touched -#}
{% macro rename_relation__is_same(relation, replacement) %}
    {%- set found = run_query(
        "select count(*) = 2 and count(distinct (pg_get_viewdef(oid), reloptions)) = 1 "
        ~ "from pg_catalog.pg_class where relkind = 'v' and oid in (to_regclass('"
        ~ relation.include(database=false) ~ "'), to_regclass('"
        ~ replacement.include(database=false) ~ "'))"
    ) -%}
    {{- return(found.rows[0][0]) }}
{% endmacro %}

{% macro rename_relation__is_there(relation) %}
    {%- set name = relation.include(database=false) -%}
    {%- set found = run_query("select to_regclass('" ~ name ~ "') is not null") -%}
    {{- return(found.rows[0][0]) }}
{% endmacro %}

{#- An old relation that a view still reads is renamed for the next -#}
{% macro rename_relation__set_aside(relation) %}
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
