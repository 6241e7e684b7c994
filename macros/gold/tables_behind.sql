{% macro tables_behind(node=model) %}
    {%- set tables = [] -%}
    {%- for id in node.depends_on.nodes -%}
        {%- if id in graph.sources -%}
            {%- do tables.append(graph.sources[id].name.replace('__', '.', 1)) -%}
        {%- elif id in graph.nodes -%}
            {%- do tables.extend(tables_behind(node=graph.nodes[id])) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(tables | unique | list) }}
{% endmacro %}
