{% macro claimed_inputs() %}
    {%- set names = [] -%}
    {%- for id in model.depends_on.nodes if graph.nodes.get(id) -%}
        {%- set node = graph.nodes[id] -%}
        {%- do names.append(node.schema ~ '.' ~ node.alias) -%}
    {%- endfor -%}
    {{- return(names) }}
{% endmacro %}
