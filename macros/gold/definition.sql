{% macro definition(node=model) %}
    {%- set parts = [node.raw_code, node.contract.checksum] -%}
    {%- for id in node.depends_on.nodes if 'gold' in graph.nodes.get(id, {}).get('fqn', []) -%}
        {%- do parts.append(definition(node=graph.nodes[id])) -%}
    {%- endfor -%}
    {{- return(local_md5(parts | join(' '))) }}
{% endmacro %}
