{% macro serving_view(node, columns=none) %}
    {{- return(adapter.dispatch('serving_view')(node=node, columns=columns)) }}
{% endmacro %}

{#- Where tags and policies protect the view, the query is a plain select. -#}
{% macro default__serving_view(node, columns) %}
    {%- set sql -%}
select
    {%- for column in node.columns.values() %}
    {{ column.name }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ node.database }}.{{ node.schema }}.{{ node.alias }}
    {%- endset -%}
    {{- return(sql) }}
{% endmacro %}

{% macro postgres__serving_view(node, columns) %}
    {%- set row_filter = node.config.meta.get('row_filter') -%}
    {%- if row_filter and row_filter not in node.columns -%}
        {{ exceptions.raise_compiler_error(
            node.name ~ " has the row filter '" ~ row_filter ~ "', which is not one "
            ~ "of its columns; correct config.meta.row_filter in its YAML."
        ) }}
    {%- endif -%}
    {#- A column that the table does not have yet can't be shown. -#}
    {%- set shown = [] -%}
    {%- for column in node.columns.values() -%}
        {%- if columns is none or column.name in columns -%}
            {%- do shown.append(column) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set classes = pii_classes(node=node) -%}
    {%- set personal = shown | selectattr('name', 'in', classes) | list -%}
    {%- set asks_who = personal or row_filter -%}
    {%- set sql -%}
    {%- if asks_who %}
with

reader as (

    select
        exists (
            select
            from pg_catalog.pg_roles
            where
                rolname = '{{ role_name("analyst") }}'
                and pg_catalog.pg_has_role(current_user, oid, 'usage')
        ) as is_analyst

)
    {%- endif %}
select
    {%- for column in shown %}
    {%- set name = 'model.' ~ adapter.quote(column.name) %}
    {%- set pii = classes.get(column.name) %}
    {%- if pii %}
    {%- set masked = mask(column=name, data_type=column.data_type, pii=pii) %}
    cast(
        {{ 'case when reader.is_analyst then ' ~ masked ~ ' end' if masked else 'null' }}
        as {{ column.data_type }}
    ) as {{ adapter.quote(column.name) }}
    {%- else %}
    {{ name }}
    {%- endif %}
    {{- ',' if not loop.last }}
    {%- endfor %}
from {{ adapter.quote(node.schema) }}.{{ adapter.quote(node.alias) }} as model
    {%- if asks_who %}
cross join reader
    {%- endif %}
    {%- if row_filter %}
where
    reader.is_analyst
        {%- if row_filter in shown | map(attribute='name') %}
    or cast(model.{{ adapter.quote(row_filter) }} as text) in (
        select row_access.value
        from {{ audit_table('row_access') }}
        inner join pg_catalog.pg_roles on pg_roles.rolname = row_access.role_name
        where
            row_access.column_name = '{{ row_filter }}'
            and pg_catalog.pg_has_role(current_user, pg_roles.oid, 'usage')
    )
        {%- endif %}
    {%- endif %}
    {%- endset -%}
    {{- return(sql | trim) }}
{% endmacro %}
