{#- A view that could not be moved to the new relation keeps the old one -#}
{% macro drop_replaced(relation) %}
    {%- call statement('drop_relation', auto_begin=False) -%}
do $drop$
declare
    found record;
begin
    for found in
        select
            pg_class.oid,
            case relkind when 'v' then 'view' else 'table' end as kind
        from pg_catalog.pg_class
        where
            relnamespace = to_regnamespace(quote_ident('{{ relation.schema }}'))
            and relkind in ('r', 'v')
            and (
                relname = '{{ relation.identifier }}'
                or relname ~ '^_replaced_[0-9]+$'
            )
        order by relkind desc
    loop
        begin
            execute format('drop %s %s', found.kind, found.oid::regclass);
        exception when
            dependent_objects_still_exist
            or undefined_table
            or internal_error  -- another thread has just dropped it
        then
            null;
        end;
    end loop;
end
$drop$
    {%- endcall -%}
    {#- dbt assumes that all views of it are gone; some may still read an old one -#}
    {%- set found -%}
        with recursive above as (
            select oid as id
            from pg_catalog.pg_class
            where
                relnamespace = to_regnamespace(quote_ident('{{ relation.schema }}'))
                and (
                    relname = '{{ relation.identifier }}'
                    or relname = '{{ relation.identifier[:-12] }}'
                    or relname ~ '^_replaced_[0-9]+$'
                )
            union
            select pg_rewrite.ev_class
            from above
            inner join pg_catalog.pg_depend
                on
                    pg_depend.refclassid = 'pg_catalog.pg_class'::regclass
                    and pg_depend.refobjid = above.id
                    and pg_depend.classid = 'pg_catalog.pg_rewrite'::regclass
            inner join pg_catalog.pg_rewrite on pg_rewrite.oid = pg_depend.objid
        )

        select
            relnamespace::regnamespace::text,
            relname
        from above
        inner join pg_catalog.pg_class on pg_class.oid = above.id
        where relkind = 'v'
    {%- endset -%}
    {%- for schema, name in run_query(found) -%}
        {%- do adapter.cache_added(api.Relation.create(
            database=relation.database, schema=schema, identifier=name, type='view'
        )) -%}
    {%- endfor -%}
{% endmacro %}
