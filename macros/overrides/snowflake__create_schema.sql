{% macro snowflake__create_schema(relation) %}
    {%- set schema = relation.without_identifier() -%}
    {%- do run_query('create schema if not exists ' ~ schema) -%}
    {%- do run_query(
        'alter schema ' ~ schema ~ ' set data_retention_time_in_days = '
        ~ retention_days(schema=relation.schema)
    ) -%}
    {{ return('') }}
{% endmacro %}
