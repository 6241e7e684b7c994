{% macro index_hashes(key, hashed, unique) %}
    {{- return(adapter.dispatch('index_hashes')(
        key=key,
        hashed=hashed,
        unique=unique,
    )) }}
{% endmacro %}

{#- A warehouse without indexes has nothing to do -#}
{% macro default__index_hashes(key, hashed, unique) %}
{% endmacro %}

{#-
    Indexes are identified by their definition and not by a name: while a
    rebuilt table replaces the old one, the old one's indexes still have the
    names.
-#}
{% macro postgres__index_hashes(key, hashed, unique) %}
    {%- set parts = [] -%}
    {%- for column in key -%}
        {%- do parts.append(
            'md5(' ~ column ~ ')' if column in hashed else column
        ) -%}
    {%- endfor %}
    do $$
    declare
        old record;
        is_there boolean := false;
    begin
        for old in
            select
                indexrelid::regclass as name,
                indexprs is not null as has_hashes,
                exists (
                    select
                    from pg_attribute
                    where
                        attrelid = indrelid
                        and attnum = any(indkey)
                        and attname in ('{{ hashed | join("', '") }}')
                ) as has_values
            from pg_index
            inner join pg_class on pg_class.oid = indexrelid
            inner join pg_am on pg_am.oid = relam
            where indrelid = to_regclass('{{ this }}') and amname = 'btree'
        loop
            if old.has_values then
                execute format('drop index %s', old.name);
            elsif old.has_hashes then
                is_there := true;
            end if;
        end loop;
        if not is_there and to_regclass('{{ this }}') is not null then
            create {{ 'unique ' if unique }}index on {{ this }} (
                {{ parts | join(', ') }}
            );
        end if;
    end $$
{% endmacro %}
