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
        {%- if not rename_relation__is_same(from_relation, replacement) -%}
            {{- hold_views(relation=from_relation, replacement=replacement) -}}
            {%- if rename_relation__is_there(replacement) -%}
                {{- rename_relation__set_aside(to_relation) -}}
                {{- default__rename_relation(from_relation, to_relation) -}}
            {%- endif -%}
        {%- endif -%}
    {%- elif rename_relation__is_there(to_relation) -%}
        {%- do run_query(
            'drop view if exists ' ~ from_relation
        ) if rename_relation__is_there(from_relation) -%}
    {%- else -%}
        {{- default__rename_relation(from_relation, to_relation) -}}
        {{- move_views() -}}
    {%- endif -%}
{% endmacro %}

{#- Whether a view would be made as it is: then it is left alone -#}
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

{#- An old relation that a view keeps in place makes room for the next -#}
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
