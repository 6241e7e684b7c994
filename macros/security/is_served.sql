{% macro is_served(node) %}
    {{- return(
        node.resource_type == 'model'
        and node.config.meta.get('serve', node.config.schema in ['silver', 'gold'])
        and node.config.get('access') != 'private'
        and node.columns | length > 0
    ) }}
{% endmacro %}
