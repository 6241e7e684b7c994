{% macro move_views() %}
    {%- set sql -%}
do $move$
declare
    found record;
begin
    if to_regclass('pg_temp._held_view') is null then
        return;
    end if;
    for found in select * from pg_temp._held_view
    loop
        begin
            execute format(
                'create or replace view %s%s as %s',
                found.id::regclass,
                ' with (' || found.options || ')',
                found.definition
            );
        exception when
            undefined_column
            or undefined_function
            or datatype_mismatch
            or cannot_coerce
            or invalid_table_definition
        then
            null;
        end;
    end loop;
    drop table pg_temp._held_view;
end
$move$
    {%- endset -%}
    {%- do run_query(sql) -%}
    {{- return('') }}
{% endmacro %}
