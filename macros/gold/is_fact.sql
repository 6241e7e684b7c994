{% macro is_fact(node=model) %}
    {{- return(
        node.config.get('incremental_strategy') == 'replace_changed'
    ) }}
{% endmacro %}
