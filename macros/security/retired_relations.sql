{% macro retired_relations() %}
    {{- return(adapter.dispatch('retired_relations')()) }}
{% endmacro %}

{% macro default__retired_relations() %}
    {{- return('') }}
{% endmacro %}

{#- Views first, as they read tables -#}
{% macro postgres__retired_relations() %}
    {%- set layers, known = [], [] -%}
    {%- for layer in ['staging', 'silver', 'gold'] -%}
        {%- do layers.append(generate_schema_name(layer, none) | trim) -%}
    {%- endfor -%}
    {%- for node in graph.nodes.values()
        if node.resource_type in ['model', 'snapshot'] -%}
        {%- do known.append(node.schema ~ '.' ~ node.alias) -%}
    {%- endfor -%}
    {%- set found -%}
        select
            format('%I.%I', nspname, relname),
            case relkind when 'v' then 'view' else 'table' end
        from pg_catalog.pg_class
        inner join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace
        where
            nspname in ('{{ layers | join("', '") }}')
            and relkind in ('r', 'p', 'v')
            and nspname || '.' || relname not in ('{{ known | join("', '") }}')
        order by relkind desc, 1
    {%- endset -%}
    {%- set drops = [] -%}
    {%- for name, kind in run_query(found) -%}
        {%- do drops.append('drop ' ~ kind ~ ' ' ~ name ~ ' cascade;') -%}
    {%- endfor -%}
    {{- return(drops | join('\n')) }}
{% endmacro %}
