{#- In one call a model: a call a column would take most of the time of a build's start. -#}
{% macro pii_classes(node) %}
    {%- set classes = {} -%}
    {%- for column in node.columns.values() -%}
        {%- set meta = column.get('config', {}).get('meta', {}) -%}
        {%- set pii = meta.get('pii') or column.get('meta', {}).get('pii') -%}
        {#- `none` says that a person has looked at it. -#}
        {%- if pii and pii != 'none' -%}
            {%- do classes.update({column.name: pii}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(classes) }}
{% endmacro %}
