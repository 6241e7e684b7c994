{% macro generate_schema_name(custom_schema_name, node) -%}
    {#- prod builds into the layer's own schema, others prefix it -#}
    {%- set layer = custom_schema_name | default('models', true) | trim -%}
    {{- layer if target.schema == 'prod' else target.schema ~ '_' ~ layer -}}
{%- endmacro %}
