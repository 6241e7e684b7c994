{% macro account_plan() %}
    {%- set sql -%}
{{ account() }}

-- Views for consumers. Each model's build makes its own, with SNOWFLAKE_SERVING=true.
    {%- for node in graph.nodes.values() | sort(attribute='unique_id')
        if is_served(node=node) %}

{{ protected_view(node=node) }};
    {%- endfor %}
    {%- endset -%}
    {{- return(sql) }}
{% endmacro %}
