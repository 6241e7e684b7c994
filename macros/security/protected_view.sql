{#-
    Tags and row filter are created with the view, so it is never without them.
-#}
{% macro protected_view(node) %}
    {%- set place = node.database ~ '.security' -%}
    {%- set view = node.database ~ '.' ~ serving_schema() ~ '.' ~ node.alias -%}
    {%- set row_filter = node.config.meta.get('row_filter') -%}
    {%- set classes = pii_classes(node=node) -%}
    {%- set sql -%}
create or replace secure view {{ view }} (
    {%- for column in node.columns.values() %}
    {{ column.name }} with tag ({{ place }}.pii = '{{ classes.get(column.name, "none") }}')
    {{- ',' if not loop.last }}
    {%- endfor %}
)
    {%- if row_filter %}
with row access policy {{ place }}.rows_by_{{ row_filter }} on ({{ row_filter }})
    {%- endif %}
copy grants
as
{{ serving_view(node=node) }}
    {%- endset -%}
    {{- return(sql) }}
{% endmacro %}
