{% macro retire_views() %}
    {{- return(adapter.dispatch('retire_views')()) }}
{% endmacro %}

{% macro default__retire_views() %}
    {{- return('') }}
{% endmacro %}

{#-
    A view that another view reads stays, and one that is being read stays until
    the next build: the probe lists the remaining ones.
-#}
{% macro postgres__retire_views() %}
    {%- set served = [] -%}
    {%- for node in graph.nodes.values() if is_served(node=node) -%}
        {%- do served.append(node.alias) -%}
    {%- endfor %}
do $retire$
declare
    retired record;
begin
    for retired in
        select oid::regclass as name
        from pg_catalog.pg_class
        where
            relnamespace = to_regnamespace('{{ serving_schema() }}')
            and relkind = 'v'
            and relname not in ('{{ served | join("', '") }}')
            and obj_description(oid, 'pg_class') like 'Masked rows of % (seedbed %'
            and pg_has_role(relowner, 'usage')
    loop
        begin
            set local lock_timeout = '1s';
            execute format('drop view %s', retired.name);
        exception when dependent_objects_still_exist or lock_not_available then
            null;
        end;
    end loop;
    reset lock_timeout;
end
$retire$
{% endmacro %}
