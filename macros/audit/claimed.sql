{% macro claimed(bound) %}
    {%- set expression -%}
    (
        select {{ bound }}
        from {{ environment_table('model_claim') }}
        where model = '{{ this.schema }}.{{ this.identifier }}'
    )
    {%- endset -%}
    {{- return(expression) }}
{% endmacro %}
