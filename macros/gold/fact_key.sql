{% macro fact_key(node=model) %}
    {%- set key = node.config.unique_key -%}
    {{- return(key if key is string else key | join(', ')) }}
{% endmacro %}
