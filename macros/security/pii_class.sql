{% macro pii_class(column) %}
    {%- set meta = column.get('config', {}).get('meta', {}) -%}
    {%- set pii = meta.get('pii') or column.get('meta', {}).get('pii') -%}
    {#- `none` says that a person has reviewed it. -#}
    {{- return(none if pii == 'none' else pii) }}
{% endmacro %}
