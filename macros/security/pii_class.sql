{% macro pii_class(column) %}
    {%- set meta = column.get('config', {}).get('meta', {}) -%}
    {{- return(meta.get('pii') or column.get('meta', {}).get('pii')) }}
{% endmacro %}
