{% macro is_served(node) %}
    {{- return(
        node.resource_type == 'model'
        and node.config.schema in ['silver', 'gold']
        and node.config.get('access') != 'private'
        and node.config.meta.get('serve', true)
        and node.columns | length > 0
    ) }}
{% endmacro %}
