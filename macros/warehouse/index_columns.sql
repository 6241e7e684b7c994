{% macro index_columns(columns) %}
    {{- return(adapter.dispatch('index_columns')(columns=columns)) }}
{% endmacro %}

{#- A warehouse without indexes has nothing to do -#}
{% macro default__index_columns(columns) %}
{% endmacro %}

{#-
    dbt creates a model's `indexes` with a new table only. An index is found by
    its column and not by a name: while a rebuilt table replaces the old one,
    the old one's indexes still have the names.
-#}
{% macro postgres__index_columns(columns) %}
    do $$
    declare
        wanted record;
        is_long boolean;
    begin
        for wanted in
            select
                attname,
                atttypid = 'varchar'::regtype and atttypmod > 4 + 670 as is_long,
                atttypid in (
                    'varchar'::regtype, 'text'::regtype, 'bytea'::regtype
                ) as may_be_long
            from pg_attribute
            where
                attrelid = '{{ this }}'::regclass
                and attname in ('{{ columns | join("', '") }}')
                and not exists (
                    select
                    from pg_index
                    where
                        indrelid = attrelid
                        and indkey[0] = attnum
                        and indpred is null
                )
        loop
            is_long := wanted.is_long;
            if wanted.may_be_long and not is_long then
                execute format(
                    'select exists (select from {{ this }} where '
                    'octet_length(%I) > 2600)',
                    wanted.attname
                )
                into is_long;
            end if;
            execute format(
                'create index on {{ this }} using %s (%I)',
                case when is_long then 'hash' else 'btree' end,
                wanted.attname
            );
        end loop;
    end $$
{% endmacro %}
