{% macro warehouse_type(type) %}
    {{- return(adapter.dispatch('warehouse_type')(type=type)) }}
{% endmacro %}

{#- Snowflake's numbers end at 38 digits, and it stores no interval -#}
{% macro default__warehouse_type(type) %}
    {%- set names = {'double': 'double precision', 'json': 'variant',
        'timestamp': 'timestamp_ntz', 'timestamptz': 'timestamp_tz',
        'duration': 'text', 'geometry': 'binary'} -%}
    {%- if type.startswith('decimal')
            and type[8:].split(',')[0] | int > 38 -%}
        {{- return('text') }}
    {%- endif -%}
    {{- return(names.get(type, type) | replace('decimal', 'numeric')) }}
{% endmacro %}

{% macro postgres__warehouse_type(type) %}
    {%- set names = {'double': 'double precision', 'json': 'jsonb',
        'binary': 'bytea', 'geometry': 'bytea', 'duration': 'interval',
        'timestamptz': 'timestamp with time zone'} -%}
    {{- return(names.get(type, type) | replace('decimal', 'numeric')) }}
{% endmacro %}
