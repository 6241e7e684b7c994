{% macro secure_roles(layers) %}
    {{- return(adapter.dispatch('secure_roles')(layers=layers)) }}
{% endmacro %}

{% macro default__secure_roles(layers) %}
    {{- return('') }}
{% endmacro %}

{#-
    Loader: writes bronze and audit. Transformer: reads both and what is built,
    and writes what it owns only: an environment with its own claims. Analysts:
    the serving schema, whose views have their own grants. A user who may not
    create roles creates none, and consumers see nothing.
-#}
{% macro postgres__secure_roles(layers) %}
    {%- set loader = role_name(role='loader') -%}
    {%- set transformer = role_name(role='transformer') -%}
    {%- set analysts = [
        role_name(role='analyst'), role_name(role='restricted_analyst')
    ] -%}
    {%- set serving = serving_schema() -%}
    {%- set sql -%}
begin;
do $turn$
begin
    -- Those who build production take turns; an environment is one person's.
    if has_table_privilege(to_regclass('audit.lock'), 'update') then
        perform from audit.lock where name = 'security' for update;
    end if;
end
$turn$;
{{ environment_tables(layers=layers) }}
create schema if not exists {{ adapter.quote(serving) }};
do $roles$
declare
    wanted text;
    place text;
begin
    foreach wanted in array array[
        '{{ loader }}', '{{ transformer }}', '{{ analysts | join("', '") }}'
    ] loop
        if to_regrole(wanted) is null and (
            select rolcreaterole or rolsuper
            from pg_catalog.pg_roles
            where rolname = current_user
        ) then
            execute format('create role %I', wanted);
        end if;
    end loop;

    foreach wanted in array array['{{ analysts | join("', '") }}'] loop
        if to_regrole(wanted) is not null
            and not has_schema_privilege(wanted, '{{ serving }}', 'usage')
        then
            execute format(
                'grant usage on schema {{ adapter.quote(serving) }} to %I', wanted
            );
        end if;
    end loop;

    if to_regrole('{{ loader }}') is null or to_regrole('{{ transformer }}') is null
    then
        return;
    end if;
    -- What is made later has the same rights, by default privileges.
    for place in
        select nspname
        from pg_catalog.pg_namespace
        where
            nspname in (
                'bronze', 'audit', '{{ layers | join("', '") }}'
            )
            and nspowner = current_user::regrole
            and not exists (
                select
                from pg_catalog.pg_default_acl
                cross join aclexplode(defaclacl)
                where
                    defaclnamespace = pg_namespace.oid
                    and defaclrole = nspowner
                    and grantee = '{{ transformer }}'::regrole
            )
    loop
        execute format('grant usage on schema %I to {{ transformer }}', place);
        execute format(
            'grant select on all tables in schema %I to {{ transformer }}', place
        );
        execute format(
            'alter default privileges in schema %I '
            'grant select on tables to {{ transformer }}',
            place
        );
        if place in ('bronze', 'audit') then
            execute format('grant usage, create on schema %I to {{ loader }}', place);
            execute format(
                'grant all on all tables in schema %I to {{ loader }}', place
            );
            execute format(
                'alter default privileges in schema %I '
                'grant all on tables to {{ loader }}',
                place
            );
        end if;
    end loop;
end
$roles$;
    {%- endset -%}
    {{- return(sql) }}
{% endmacro %}
