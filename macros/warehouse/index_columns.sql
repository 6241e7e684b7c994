{% macro index_columns(columns) %}
    {{- return(adapter.dispatch('index_columns')(columns=columns)) }}
{% endmacro %}

{#- A warehouse without indexes has nothing to do -#}
{% macro default__index_columns(columns) %}
{% endmacro %}

{#-
    dbt creates a model's `indexes` with a new table only. An index is looked for by
    its column and not by a name: while a rebuilt table takes the place of the old
    one, the old one's indexes still have theirs.
-#}
{% macro postgres__index_columns(columns) %}
    do $$
    declare
        wanted text;
    begin
        for wanted in
            select attname
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
            execute format('create index on {{ this }} (%I)', wanted);
        end loop;
    end $$
{% endmacro %}
