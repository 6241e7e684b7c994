{#- The layer is the schema's last word: prod's schemas have no prefix -#}
{% macro retention_days(schema) %}
    {%- set layer = (schema | lower).split('_')[-1] -%}
    {{- return(var('retention_days').get(layer, 0)) }}
{% endmacro %}
