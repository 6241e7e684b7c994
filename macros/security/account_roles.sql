{#-
    With managed access a table's owner can't grant it: what consumers may read is
    decided by whoever runs this, and that is the views of the serving schema.
-#}
{% macro account_roles() %}
    {%- set database = target.database -%}
    {%- set loader = role_name(role='loader') -%}
    {%- set transformer = role_name(role='transformer') -%}
    {%- set analyst = role_name(role='analyst') -%}
    {%- set restricted = role_name(role='restricted_analyst') -%}
    {%- set serving = serving_schema() -%}
    {%- set sql -%}
-- Roles
    {%- for role, what in {
        loader: 'loads bronze and audit',
        transformer: 'builds staging, silver, gold and the views for consumers',
        analyst: 'reads the views for consumers, personal data in part',
        restricted: 'reads allowed rows of them, and no personal data',
    }.items() %}
create role if not exists {{ role }} comment = 'Seedbed: {{ what }}';
grant role {{ role }} to role sysadmin;
    {%- endfor %}
-- One user can publish: it loads, then builds.
grant role {{ loader }} to role {{ transformer }};

-- Schemas
create database if not exists {{ database }};
    {%- for role in [loader, transformer, analyst, restricted] %}
grant usage on database {{ database }} to role {{ role }};
    {%- endfor %}
    {%- for schema in ['bronze', 'audit'] %}
create schema if not exists {{ database }}.{{ schema }} with managed access;
grant all privileges on schema {{ database }}.{{ schema }} to role {{ loader }};
    {%- endfor %}
    {%- for layer in ['staging', 'silver', 'gold', 'quality', 'metadata', 'serving'] %}
    {%- set schema = generate_schema_name(layer, none) | trim %}
create schema if not exists {{ database }}.{{ schema }} with managed access;
grant all privileges on schema {{ database }}.{{ schema }} to role {{ transformer }};
    {%- endfor %}
    {%- for role in [analyst, restricted] %}
grant usage on schema {{ database }}.{{ serving }} to role {{ role }};
grant select on all views in schema {{ database }}.{{ serving }} to role {{ role }};
grant select on future views in schema {{ database }}.{{ serving }} to role {{ role }};
    {%- endfor %}

-- Warehouses
    {%- for purpose, roles in {
        'load': [loader],
        'transform': [transformer],
        'report': [analyst, restricted],
    }.items() %}
    {%- set name = account_name(
        variable='SNOWFLAKE_' ~ purpose | upper ~ '_WAREHOUSE',
        default='seedbed_' ~ purpose,
    ) %}
    {%- for role in roles %}
grant usage on warehouse {{ name }} to role {{ role }};
    {%- endfor %}
    {%- endfor %}

-- Query history and access history, for the models of models/account
grant database role snowflake.usage_viewer to role {{ transformer }};
grant database role snowflake.governance_viewer to role {{ transformer }};
    {%- endset -%}
    {{- return(sql) }}
{% endmacro %}
