-- Warehouses, and a monitor that stops them. Run as ACCOUNTADMIN.
create resource monitor if not exists seedbed with
    credit_quota = 50
    frequency = monthly
    start_timestamp = immediately
    triggers
        on 80 percent do notify
        on 100 percent do suspend
        on 110 percent do suspend_immediate;
alter resource monitor seedbed set credit_quota = 50;
create warehouse if not exists seedbed_load
    warehouse_size = xsmall
    auto_suspend = 60
    auto_resume = true
    initially_suspended = true;
alter warehouse seedbed_load set
    resource_monitor = seedbed
    statement_timeout_in_seconds = 14400;
create warehouse if not exists seedbed_transform
    warehouse_size = xsmall
    auto_suspend = 60
    auto_resume = true
    initially_suspended = true;
alter warehouse seedbed_transform set
    resource_monitor = seedbed
    statement_timeout_in_seconds = 14400;
create warehouse if not exists seedbed_report
    warehouse_size = xsmall
    auto_suspend = 60
    auto_resume = true
    initially_suspended = true;
alter warehouse seedbed_report set
    resource_monitor = seedbed
    statement_timeout_in_seconds = 3600;

-- Roles
create role if not exists seedbed_loader comment = 'Seedbed: loads bronze and audit';
grant role seedbed_loader to role sysadmin;
create role if not exists seedbed_transformer comment = 'Seedbed: builds staging, silver, gold and the views for consumers';
grant role seedbed_transformer to role sysadmin;
create role if not exists seedbed_analyst comment = 'Seedbed: reads the views for consumers, personal data in part';
grant role seedbed_analyst to role sysadmin;
create role if not exists seedbed_restricted_analyst comment = 'Seedbed: reads allowed rows of them, and no personal data';
grant role seedbed_restricted_analyst to role sysadmin;
-- One user can publish: it loads, then builds.
grant role seedbed_loader to role seedbed_transformer;

-- Schemas
create database if not exists seedbed;
grant usage on database seedbed to role seedbed_loader;
grant usage on database seedbed to role seedbed_transformer;
grant usage on database seedbed to role seedbed_analyst;
grant usage on database seedbed to role seedbed_restricted_analyst;
create schema if not exists seedbed.bronze with managed access;
grant all privileges on schema seedbed.bronze to role seedbed_loader;
create schema if not exists seedbed.audit with managed access;
grant all privileges on schema seedbed.audit to role seedbed_loader;
create schema if not exists seedbed.staging with managed access;
grant all privileges on schema seedbed.staging to role seedbed_transformer;
create schema if not exists seedbed.silver with managed access;
grant all privileges on schema seedbed.silver to role seedbed_transformer;
create schema if not exists seedbed.gold with managed access;
grant all privileges on schema seedbed.gold to role seedbed_transformer;
create schema if not exists seedbed.quality with managed access;
grant all privileges on schema seedbed.quality to role seedbed_transformer;
create schema if not exists seedbed.metadata with managed access;
grant all privileges on schema seedbed.metadata to role seedbed_transformer;
create schema if not exists seedbed.serving with managed access;
grant all privileges on schema seedbed.serving to role seedbed_transformer;
grant usage on schema seedbed.serving to role seedbed_analyst;
grant select on all views in schema seedbed.serving to role seedbed_analyst;
grant select on future views in schema seedbed.serving to role seedbed_analyst;
grant usage on schema seedbed.serving to role seedbed_restricted_analyst;
grant select on all views in schema seedbed.serving to role seedbed_restricted_analyst;
grant select on future views in schema seedbed.serving to role seedbed_restricted_analyst;

-- Warehouses
grant usage on warehouse seedbed_load to role seedbed_loader;
grant usage on warehouse seedbed_transform to role seedbed_transformer;
grant usage on warehouse seedbed_report to role seedbed_analyst;
grant usage on warehouse seedbed_report to role seedbed_restricted_analyst;

-- Query history and access history, for the models of models/account
grant database role snowflake.usage_viewer to role seedbed_transformer;
grant database role snowflake.governance_viewer to role seedbed_transformer;

-- Personal data
create schema if not exists seedbed.security with managed access;
grant usage on schema seedbed.security to role seedbed_transformer;
create tag if not exists seedbed.security.pii
    comment = 'Class of personal data; none for a column that everyone may see';
grant apply on tag seedbed.security.pii to role seedbed_transformer;
create masking policy if not exists seedbed.security.mask_varchar
    as (val varchar) returns varchar -> null;
alter masking policy seedbed.security.mask_varchar set body ->
case
    when invoker_role() in (
        'SEEDBED_LOADER', 'SEEDBED_TRANSFORMER'
    ) then val
    when system$get_tag_on_current_column('seedbed.security.pii') = 'none' then val
    when
        is_role_in_session('SEEDBED_ANALYST')
        and system$get_tag_on_current_column('seedbed.security.pii') = 'name'
        then left(val, 1) || '***'
    when
        is_role_in_session('SEEDBED_ANALYST')
        and system$get_tag_on_current_column('seedbed.security.pii') = 'email'
        then '***@' || split_part(val, '@', 2)
    when
        is_role_in_session('SEEDBED_ANALYST')
        and system$get_tag_on_current_column('seedbed.security.pii') = 'phone'
        then '***' || right(val, 2)
end;
create masking policy if not exists seedbed.security.mask_number
    as (val number) returns number -> null;
alter masking policy seedbed.security.mask_number set body ->
case
    when invoker_role() in (
        'SEEDBED_LOADER', 'SEEDBED_TRANSFORMER'
    ) then val
    when system$get_tag_on_current_column('seedbed.security.pii') = 'none' then val
end;
create masking policy if not exists seedbed.security.mask_float
    as (val float) returns float -> null;
alter masking policy seedbed.security.mask_float set body ->
case
    when invoker_role() in (
        'SEEDBED_LOADER', 'SEEDBED_TRANSFORMER'
    ) then val
    when system$get_tag_on_current_column('seedbed.security.pii') = 'none' then val
end;
create masking policy if not exists seedbed.security.mask_boolean
    as (val boolean) returns boolean -> null;
alter masking policy seedbed.security.mask_boolean set body ->
case
    when invoker_role() in (
        'SEEDBED_LOADER', 'SEEDBED_TRANSFORMER'
    ) then val
    when system$get_tag_on_current_column('seedbed.security.pii') = 'none' then val
end;
create masking policy if not exists seedbed.security.mask_date
    as (val date) returns date -> null;
alter masking policy seedbed.security.mask_date set body ->
case
    when invoker_role() in (
        'SEEDBED_LOADER', 'SEEDBED_TRANSFORMER'
    ) then val
    when system$get_tag_on_current_column('seedbed.security.pii') = 'none' then val
    when
        is_role_in_session('SEEDBED_ANALYST')
        and system$get_tag_on_current_column('seedbed.security.pii') = 'birth_date'
        then cast(date_trunc('year', val) as date)
end;
create masking policy if not exists seedbed.security.mask_time
    as (val time) returns time -> null;
alter masking policy seedbed.security.mask_time set body ->
case
    when invoker_role() in (
        'SEEDBED_LOADER', 'SEEDBED_TRANSFORMER'
    ) then val
    when system$get_tag_on_current_column('seedbed.security.pii') = 'none' then val
end;
create masking policy if not exists seedbed.security.mask_timestamp_ntz
    as (val timestamp_ntz) returns timestamp_ntz -> null;
alter masking policy seedbed.security.mask_timestamp_ntz set body ->
case
    when invoker_role() in (
        'SEEDBED_LOADER', 'SEEDBED_TRANSFORMER'
    ) then val
    when system$get_tag_on_current_column('seedbed.security.pii') = 'none' then val
end;
create masking policy if not exists seedbed.security.mask_timestamp_ltz
    as (val timestamp_ltz) returns timestamp_ltz -> null;
alter masking policy seedbed.security.mask_timestamp_ltz set body ->
case
    when invoker_role() in (
        'SEEDBED_LOADER', 'SEEDBED_TRANSFORMER'
    ) then val
    when system$get_tag_on_current_column('seedbed.security.pii') = 'none' then val
end;
create masking policy if not exists seedbed.security.mask_timestamp_tz
    as (val timestamp_tz) returns timestamp_tz -> null;
alter masking policy seedbed.security.mask_timestamp_tz set body ->
case
    when invoker_role() in (
        'SEEDBED_LOADER', 'SEEDBED_TRANSFORMER'
    ) then val
    when system$get_tag_on_current_column('seedbed.security.pii') = 'none' then val
end;
create masking policy if not exists seedbed.security.mask_variant
    as (val variant) returns variant -> null;
alter masking policy seedbed.security.mask_variant set body ->
case
    when invoker_role() in (
        'SEEDBED_LOADER', 'SEEDBED_TRANSFORMER'
    ) then val
    when system$get_tag_on_current_column('seedbed.security.pii') = 'none' then val
end;
create masking policy if not exists seedbed.security.mask_binary
    as (val binary) returns binary -> null;
alter masking policy seedbed.security.mask_binary set body ->
case
    when invoker_role() in (
        'SEEDBED_LOADER', 'SEEDBED_TRANSFORMER'
    ) then val
    when system$get_tag_on_current_column('seedbed.security.pii') = 'none' then val
end;
alter tag seedbed.security.pii set masking policy seedbed.security.mask_varchar force;
alter tag seedbed.security.pii set masking policy seedbed.security.mask_number force;
alter tag seedbed.security.pii set masking policy seedbed.security.mask_float force;
alter tag seedbed.security.pii set masking policy seedbed.security.mask_boolean force;
alter tag seedbed.security.pii set masking policy seedbed.security.mask_date force;
alter tag seedbed.security.pii set masking policy seedbed.security.mask_time force;
alter tag seedbed.security.pii set masking policy seedbed.security.mask_timestamp_ntz force;
alter tag seedbed.security.pii set masking policy seedbed.security.mask_timestamp_ltz force;
alter tag seedbed.security.pii set masking policy seedbed.security.mask_timestamp_tz force;
alter tag seedbed.security.pii set masking policy seedbed.security.mask_variant force;
alter tag seedbed.security.pii set masking policy seedbed.security.mask_binary force;
alter schema seedbed.staging
    set tag seedbed.security.pii = 'unclassified';
alter schema seedbed.silver
    set tag seedbed.security.pii = 'unclassified';
alter schema seedbed.gold
    set tag seedbed.security.pii = 'unclassified';
alter schema seedbed.quality
    set tag seedbed.security.pii = 'unclassified';
alter schema seedbed.metadata
    set tag seedbed.security.pii = 'unclassified';
alter schema seedbed.serving
    set tag seedbed.security.pii = 'unclassified';
alter schema seedbed.bronze set tag seedbed.security.pii = 'unclassified';

-- Rows
create table if not exists seedbed.security.row_access (
    role_name varchar not null,
    column_name varchar not null,
    value varchar not null
);
begin;
delete from seedbed.security.row_access;
insert into seedbed.security.row_access (role_name, column_name, value)
values (
    'SEEDBED_RESTRICTED_ANALYST',
    'country',
    'DE'
);
commit;
create row access policy if not exists seedbed.security.rows_by_country
    as (val varchar) returns boolean -> false;
alter row access policy seedbed.security.rows_by_country set body ->
is_role_in_session('SEEDBED_TRANSFORMER')
or is_role_in_session('SEEDBED_ANALYST')
or exists (
    select 1
    from seedbed.security.row_access
    where
        row_access.column_name = 'country'
        and row_access.value = val
        and is_role_in_session(row_access.role_name)
);
grant apply on row access policy seedbed.security.rows_by_country
    to role seedbed_transformer;
