{% macro stored_type(type) %}
    {{- return(adapter.dispatch('stored_type')(type=type)) }}
{% endmacro %}

{#- Snowflake knows one kind of whole number, and writes every size out -#}
{% macro default__stored_type(type) %}
    {%- set names = {
        'integer': 'number(38,0)',
        'bigint': 'number(38,0)',
        'text': 'varchar(16777216)',
        'double precision': 'float',
        'timestamp_ntz': 'timestamp_ntz(9)',
        'timestamp_tz': 'timestamp_tz(9)',
        'time': 'time(9)',
        'binary': 'binary(8388608)',
    } -%}
    {%- set name = type | lower -%}
    {{ return(
        names.get(name, name) | replace('numeric', 'number') | replace(' ', '')
    ) }}
{% endmacro %}

{% macro postgres__stored_type(type) %}
    {{ return(
        type
        | replace('character varying', 'varchar')
        | replace(' without time zone', '')
        | replace(' ', '')
    ) }}
{% endmacro %}
