{% macro claimed(bound) %}
    {{- return(adapter.dispatch('claimed')(bound=bound)) }}
{% endmacro %}

{% macro default__claimed(bound) %}
    {%- set expression -%}
    (
        select {{ bound }}
        from {{ audit_table('model_claim') }}
        where model = '{{ this.schema }}.{{ this.identifier }}'
    )
    {%- endset -%}
    {{- return(expression) }}
{% endmacro %}
