{% macro built_through(table) %}
    {%- set place = target.name ~ '.' ~ generate_schema_name('gold', model) -%}
    {%- set expression -%}
    (
        select coalesce(max(through_seq), 0)
        from {{ audit_table('built_table') }}
        where
            place = '{{ place }}'
            and table_id = '{{ table }}'
    )
    {%- endset -%}
    {{- return(expression) }}
{% endmacro %}
