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

{#- A removed column that a view shows has a name of its own until none shows it any
    more: the view stays as it is until it is built again. -#}
{% macro postgres__alter_columns(relation, columns, changes) %}
    {%- set simple = [] -%}
    {%- set retyped = [] -%}
    {%- for name in changes.removed -%}
        {%- set views -%}
            select 1
            from pg_depend
            inner join pg_attribute
                on
                    pg_attribute.attrelid = pg_depend.refobjid
                    and pg_attribute.attnum = pg_depend.refobjsubid
            where
                pg_depend.classid = 'pg_rewrite'::regclass
                and pg_depend.refobjid = '{{ relation }}'::regclass
                and pg_attribute.attname = '{{ name }}'
            limit 1
        {%- endset -%}
        {%- if not run_query(views).rows -%}
            {%- do simple.append('drop column ' ~ name) -%}
        {%- elif not name.startswith('_removed_') -%}
            {%- do run_query(
                'alter table ' ~ relation ~ ' rename column ' ~ name ~ ' to '
                ~ ('_removed_' ~ name)[:63]
            ) -%}
            {%- do simple.append(
                'alter column ' ~ ('_removed_' ~ name)[:63] ~ ' drop not null'
            ) -%}
        {%- endif -%}
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
