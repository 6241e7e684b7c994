{#-
    A policy for each type, attached to the tag, and the tag to the schemas: whatever
    arrives there shows nothing until a view says of its column that it may.
-#}
{% macro account_policies() %}
    {%- set place = target.database ~ '.security' -%}
    {%- set tag = place ~ '.pii' -%}
    {%- set transformer = role_name(role='transformer') -%}
    {%- set analyst = role_name(role='analyst') -%}
    {%- set classes = [
        'name', 'email', 'phone', 'address', 'birth_date', 'free_text', 'id'
    ] -%}
    {%- set types = [
        'varchar', 'number', 'float', 'boolean', 'date', 'time', 'timestamp_ntz',
        'timestamp_ltz', 'timestamp_tz', 'variant', 'binary',
    ] -%}
    {%- set filters = [] -%}
    {%- for node in graph.nodes.values() if is_served(node=node) -%}
        {%- set filter = node.config.meta.get('row_filter') -%}
        {%- if filter and filter not in filters -%}
            {%- do filters.append(filter) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set sql -%}
-- Personal data
create schema if not exists {{ place }} with managed access;
grant usage on schema {{ place }} to role {{ transformer }};
create tag if not exists {{ tag }}
    comment = 'Class of personal data; none for a column that everyone may see';
grant apply on tag {{ tag }} to role {{ transformer }};
    {%- for type in types %}
    {%- set body -%}
case
    when invoker_role() in (
        '{{ role_name(role="loader") | upper }}', '{{ transformer | upper }}'
    ) then val
    when system$get_tag_on_current_column('{{ tag }}') = 'none' then val
        {%- for class in classes %}
        {%- set masked = mask(column='val', data_type=type, pii=class) %}
        {%- if masked %}
    when
        is_role_in_session('{{ analyst | upper }}')
        and system$get_tag_on_current_column('{{ tag }}') = '{{ class }}'
        then {{ masked }}
        {%- endif %}
        {%- endfor %}
end
    {%- endset %}
create masking policy if not exists {{ place }}.mask_{{ type }}
    as (val {{ type }}) returns {{ type }} -> null;
alter masking policy {{ place }}.mask_{{ type }} set body ->
{{ body }};
    {%- endfor %}
    {%- for type in types %}
alter tag {{ tag }} set masking policy {{ place }}.mask_{{ type }} force;
    {%- endfor %}
    {%- for layer in ['staging', 'silver', 'gold', 'quality', 'metadata', 'serving'] %}
alter schema {{ target.database }}.{{ generate_schema_name(layer, none) | trim }}
    set tag {{ tag }} = 'unclassified';
    {%- endfor %}
alter schema {{ target.database }}.bronze set tag {{ tag }} = 'unclassified';

-- Rows
create table if not exists {{ place }}.row_access (
    role_name varchar not null,
    column_name varchar not null,
    value varchar not null
);
begin;
delete from {{ place }}.row_access;
    {%- for row in row_access() %}
insert into {{ place }}.row_access (role_name, column_name, value)
values (
    '{{ row.role | upper }}',
    '{{ row.column }}',
    '{{ row.value | replace("\\", "\\\\") | replace("'", "''") }}'
);
    {%- endfor %}
commit;
    {%- for filter in filters | sort %}
create row access policy if not exists {{ place }}.rows_by_{{ filter }}
    as (val varchar) returns boolean -> false;
alter row access policy {{ place }}.rows_by_{{ filter }} set body ->
is_role_in_session('{{ transformer | upper }}')
or is_role_in_session('{{ analyst | upper }}')
or exists (
    select 1
    from {{ place }}.row_access
    where
        row_access.column_name = '{{ filter }}'
        and row_access.value = val
        and is_role_in_session(row_access.role_name)
);
grant apply on row access policy {{ place }}.rows_by_{{ filter }}
    to role {{ transformer }};
    {%- endfor %}
    {%- endset -%}
    {{- return(sql) }}
{% endmacro %}
