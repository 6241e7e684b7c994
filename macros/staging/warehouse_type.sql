{% macro warehouse_type(type) %}
    {{- return(adapter.dispatch('warehouse_type')(type=type)) }}
{% endmacro %}

{% macro default__warehouse_type(type) %}
    {%- set names = {'double': 'double precision', 'json': 'variant',
        'timestamp': 'timestamp_ntz'} -%}
    {{- return(names.get(type, type) | replace('decimal', 'numeric')) }}
{% endmacro %}

{% macro postgres__warehouse_type(type) %}
    {%- set names = {'double': 'double precision', 'json': 'jsonb',
        'binary': 'bytea'} -%}
    {{- return(names.get(type, type) | replace('decimal', 'numeric')) }}
{% endmacro %}
