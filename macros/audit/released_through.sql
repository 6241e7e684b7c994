{% macro released_through(table) %}
    {{- return(adapter.dispatch('released_through')(table=table)) }}
{% endmacro %}

{% macro default__released_through(table) %}
    {%- set expression -%}
    (
        select coalesce(max(released_through), 0)
        from {{ audit_table('table_state') }}
        where table_id = '{{ table }}'
    )
    {%- endset -%}
    {{- return(expression) }}
{% endmacro %}
