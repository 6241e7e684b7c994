{% macro stored_columns(relation) %}
    {{- return(adapter.dispatch('stored_columns')(relation=relation)) }}
{% endmacro %}

{% macro default__stored_columns(relation) %}
    {%- set found = {} -%}
    {%- for row in run_query('describe table ' ~ relation) -%}
        {%- do found.update({row[0] | lower: {
            'type': stored_type(row[1]), 'nullable': row[3] == 'Y',
        }}) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}

{% macro postgres__stored_columns(relation) %}
    {%- set rows -%}
        select
            columns.column_name,
            format_type(attribute.atttypid, attribute.atttypmod),
            columns.is_nullable = 'YES'
        from information_schema.columns as columns
        inner join pg_attribute as attribute
            on
                attribute.attname = columns.column_name
                and attribute.attrelid = '{{ relation }}'::regclass
        where
            columns.table_schema = '{{ relation.schema }}'
            and columns.table_name = '{{ relation.identifier }}'
    {%- endset -%}
    {%- set found = {} -%}
    {%- for row in run_query(rows) -%}
        {%- do found.update({
            row[0]: {'type': stored_type(row[1]), 'nullable': row[2]},
        }) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}
