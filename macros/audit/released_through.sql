{% macro released_through(table) %}
    {%- set expression -%}
    (
        select coalesce(max(released_through), 0)
        from {{ audit_table('table_state') }}
        where table_id = '{{ table }}'
    )
    {%- endset -%}
    {{- return(expression) }}
{% endmacro %}
