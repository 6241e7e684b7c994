{% macro alter_columns(relation, columns, changes) %}
    {{- return(adapter.dispatch('alter_columns')(
        relation=relation, columns=columns, changes=changes
    )) }}
{% endmacro %}

{% macro default__alter_columns(relation, columns, changes) %}
    {%- set table = 'alter table ' ~ relation ~ ' ' -%}
    {%- for name in changes.removed -%}
        {%- do run_query(table ~ 'drop column ' ~ name) -%}
    {%- endfor -%}
    {%- for name in changes.added -%}
        {%- do run_query(table ~ 'add column ' ~ name ~ ' ' ~ columns[name].type) -%}
    {%- endfor -%}
    {%- for name in changes.retyped -%}
        {%- do run_query(
            table ~ 'alter column ' ~ name ~ ' set data type ' ~ columns[name].type
        ) -%}
    {%- endfor -%}
    {%- for name in changes.loosened -%}
        {%- do run_query(table ~ 'alter column ' ~ name ~ ' drop not null') -%}
    {%- endfor -%}
    {%- for name in changes.tightened -%}
        {%- do run_query(table ~ 'alter column ' ~ name ~ ' set not null') -%}
    {%- endfor -%}
    {{ return('') }}
{% endmacro %}

{#- A view that shows a removed column goes with it, as any view goes when dbt builds
    what is below it; those of the project are built again. dbt must know of it. -#}
{% macro postgres__alter_columns(relation, columns, changes) %}
    {%- set simple = [] -%}
    {%- set retyped = [] -%}
    {%- for name in changes.removed -%}
        {%- set views -%}
            select distinct
                pg_class.relnamespace::regnamespace::text,
                pg_class.relname
            from pg_depend
            inner join pg_rewrite on pg_rewrite.oid = pg_depend.objid
            inner join pg_class on pg_class.oid = pg_rewrite.ev_class
            inner join pg_attribute
                on
                    pg_attribute.attrelid = pg_depend.refobjid
                    and pg_attribute.attnum = pg_depend.refobjsubid
            where
                pg_depend.classid = 'pg_rewrite'::regclass
                and pg_depend.refobjid = '{{ relation }}'::regclass
                and pg_attribute.attname = '{{ name }}'
                and pg_class.relkind = 'v'
        {%- endset -%}
        {%- for schema, view in run_query(views) -%}
            {%- do adapter.drop_relation(api.Relation.create(
                database=relation.database, schema=schema, identifier=view, type='view'
            )) -%}
        {%- endfor -%}
        {%- do simple.append('drop column ' ~ name) -%}
    {%- endfor -%}
    {%- for name in changes.added -%}
        {%- do simple.append('add column ' ~ name ~ ' ' ~ columns[name].type) -%}
    {%- endfor -%}
    {%- for name in changes.loosened -%}
        {%- do simple.append('alter column ' ~ name ~ ' drop not null') -%}
    {%- endfor -%}
    {%- for name in changes.tightened -%}
        {%- do simple.append('alter column ' ~ name ~ ' set not null') -%}
    {%- endfor -%}
    {%- for name in changes.retyped -%}
        {%- do retyped.append(
            'alter column ' ~ name ~ ' type ' ~ columns[name].type
        ) -%}
    {%- endfor -%}
    {%- if simple -%}
        {%- do run_query('alter table ' ~ relation ~ ' ' ~ simple | join(', ')) -%}
    {%- endif -%}
    {%- if retyped -%}
        {%- do run_query(
            "select audit.alter_table('" ~ relation ~ "'::regclass, '"
            ~ retyped | join(', ') ~ "')"
        ) -%}
    {%- endif -%}
    {{ return('') }}
{% endmacro %}
