{% macro serve(node=none, columns=none) %}
    {%- set served = node or model -%}
    {%- if execute and is_served(node=served) -%}
        {{- return(adapter.dispatch('serve')(node=served, columns=columns)) }}
    {%- endif -%}
    {{- return('') }}
{% endmacro %}

{#- Without masking there are no views. -#}
{% macro default__serve(node, columns) %}
    {{- return('') }}
{% endmacro %}

{#-
    In the model's transaction: a reader of the view sees the old rows or the
    new ones, masked. An unchanged view is not touched, so that no one waits for
    it. Its parsed form is compared: pg_get_viewdef would wait for a lock on the
    model.
-#}
{% macro postgres__serve(node, columns) %}
    {%- set view = adapter.quote(serving_schema()) ~ '.' ~ adapter.quote(node.alias) -%}
    {%- set base = adapter.quote(node.schema) ~ '.' ~ adapter.quote(node.alias) -%}
    {%- set readers = [role_name(role='analyst'), role_name(role='restricted_analyst')] -%}
    {%- set definition = serving_view(node=node, columns=columns) -%}
    {%- set mark = 'Masked rows of ' ~ node.schema ~ '.' ~ node.alias ~ ' (seedbed '
        ~ local_md5(definition) ~ ' ' -%}
    {%- set create -%}
create or replace view {{ view }} with (security_barrier = true) as
{{ definition }}
    {%- endset -%}
do $serve$
declare
    consumer text;
begin
    if not exists (
        select
        from pg_catalog.pg_depend
        inner join pg_catalog.pg_rewrite on pg_rewrite.oid = pg_depend.objid
        where
            pg_depend.classid = 'pg_catalog.pg_rewrite'::regclass
            and pg_depend.refobjid = '{{ base }}'::regclass
            and pg_rewrite.ev_class = to_regclass('{{ view }}')
            and obj_description(pg_rewrite.ev_class, 'pg_class')
            = '{{ mark }}' || md5(pg_rewrite.ev_action::text) || ')'
    ) then
        begin
            {{ create | indent(12) }};
        exception when invalid_table_definition then
            -- Columns are gone or have another type: it can't be replaced.
            drop view {{ view }} cascade;
            {{ create | indent(12) }};
        end;
        execute format(
            'comment on view {{ view }} is %L',
            (
                select '{{ mark }}' || md5(ev_action::text) || ')'
                from pg_catalog.pg_rewrite
                where ev_class = '{{ view }}'::regclass and rulename = '_RETURN'
            )
        );
    end if;
    for consumer in
        select rolname
        from pg_catalog.pg_roles
        where
            rolname in ('{{ readers | join("', '") }}')
            and not has_table_privilege(oid, '{{ view }}', 'select')
    loop
        execute format('grant select on {{ view }} to %I', consumer);
    end loop;
end
$serve$
{% endmacro %}

{#-
    Where the account has not been set up there is no tag to attach, and no view:
    SNOWFLAKE_SERVING says that it has.
-#}
{% macro snowflake__serve(node, columns) %}
    {%- if env_var('SNOWFLAKE_SERVING', 'false') == 'true' -%}
        {{- return(protected_view(node=node)) }}
    {%- endif -%}
    {{- return('') }}
{% endmacro %}
