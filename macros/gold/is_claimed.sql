{% macro is_claimed() %}
    {%- if model.config.materialized == 'view' -%}
        {{- return(false) -}}
    {%- endif -%}
    {%- for node in graph.nodes.values() if is_fact(node=node) -%}
        {%- if model.unique_id in [node.unique_id] + node.depends_on.nodes -%}
            {{- return(true) -}}
        {%- endif -%}
    {%- endfor -%}
    {{- return(false) }}
{% endmacro %}
