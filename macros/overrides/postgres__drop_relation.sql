{% macro postgres__drop_relation(relation) %}
    {%- if relation.identifier.endswith('__dbt_backup') -%}
        {{- drop_replaced(relation=relation) -}}
    {%- else -%}
        {{- default__drop_relation(relation) -}}
    {%- endif -%}
{% endmacro %}
