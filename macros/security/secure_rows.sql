{% macro secure_rows() %}
    {{- return(adapter.dispatch('secure_rows')()) }}
{% endmacro %}

{% macro default__secure_rows() %}
    {%- set rows = [] -%}
    {%- for row in row_access() -%}
        {%- do rows.append(
            "('" ~ row.role ~ "', '" ~ row.column ~ "', '"
            ~ row.value | replace("'", "''") ~ "')"
        ) -%}
    {%- endfor -%}
    {%- set table = audit_table('row_access') -%}
    {%- set sql -%}
delete from {{ table }}
        {%- if rows %}
where (role_name, column_name, value) not in (
    values
    {{ rows | join(',\n    ') }}
);
insert into {{ table }} (role_name, column_name, value)
values
    {{ rows | join(',\n    ') }}
on conflict do nothing
        {%- endif %};
    {%- endset -%}
    {{- return(sql) }}
{% endmacro %}

{#-
    A developer's environment does not change the rows, which all environments
    share.
-#}
{% macro postgres__secure_rows() %}
    {%- set sql -%}
do $rows$
begin
    if has_table_privilege('audit.row_access', 'insert') then
        {{ default__secure_rows() | indent(8) }}
    end if;
end
$rows$;
    {%- endset -%}
    {{- return(sql) }}
{% endmacro %}
