{% macro is_claimed() %}
    {%- if model.config.materialized == 'view' -%}
        {{- return(false) -}}
    {%- elif is_fact() -%}
        {{- return(true) -}}
    {%- endif -%}
    {%- for node in graph.nodes.values()
        if model.unique_id in node.depends_on.get('nodes', [])
        and is_fact(node=node) -%}
        {{- return(true) -}}
    {%- endfor -%}
    {{- return(false) }}
{% endmacro %}
