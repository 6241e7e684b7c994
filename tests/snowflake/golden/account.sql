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

-- Views for consumers. Each model's build makes its own, with SNOWFLAKE_SERVING=true.

create or replace secure view seedbed.serving.agg_daily_sales (
    sales_date with tag (
        seedbed.security.pii = 'none'
    ),
    currency with tag (
        seedbed.security.pii = 'none'
    ),
    order_count with tag (
        seedbed.security.pii = 'none'
    ),
    customer_count with tag (
        seedbed.security.pii = 'none'
    ),
    item_count with tag (
        seedbed.security.pii = 'none'
    ),
    gross_amount with tag (
        seedbed.security.pii = 'none'
    ),
    discount_amount with tag (
        seedbed.security.pii = 'none'
    ),
    net_amount with tag (
        seedbed.security.pii = 'none'
    ),
    shipping_amount with tag (
        seedbed.security.pii = 'none'
    ),
    total_amount with tag (
        seedbed.security.pii = 'none'
    ),
    refunded_amount with tag (
        seedbed.security.pii = 'none'
    ),
    average_order_amount with tag (
        seedbed.security.pii = 'none'
    )
)
copy grants
as
select
    sales_date,
    currency,
    order_count,
    customer_count,
    item_count,
    gross_amount,
    discount_amount,
    net_amount,
    shipping_amount,
    total_amount,
    refunded_amount,
    average_order_amount
from seedbed.gold.agg_daily_sales;

create or replace secure view seedbed.serving.agg_monthly_sales (
    month_start with tag (
        seedbed.security.pii = 'none'
    ),
    currency with tag (
        seedbed.security.pii = 'none'
    ),
    order_count with tag (
        seedbed.security.pii = 'none'
    ),
    customer_count with tag (
        seedbed.security.pii = 'none'
    ),
    item_count with tag (
        seedbed.security.pii = 'none'
    ),
    gross_amount with tag (
        seedbed.security.pii = 'none'
    ),
    discount_amount with tag (
        seedbed.security.pii = 'none'
    ),
    net_amount with tag (
        seedbed.security.pii = 'none'
    ),
    shipping_amount with tag (
        seedbed.security.pii = 'none'
    ),
    total_amount with tag (
        seedbed.security.pii = 'none'
    ),
    refunded_amount with tag (
        seedbed.security.pii = 'none'
    ),
    average_order_amount with tag (
        seedbed.security.pii = 'none'
    )
)
copy grants
as
select
    month_start,
    currency,
    order_count,
    customer_count,
    item_count,
    gross_amount,
    discount_amount,
    net_amount,
    shipping_amount,
    total_amount,
    refunded_amount,
    average_order_amount
from seedbed.gold.agg_monthly_sales;

create or replace secure view seedbed.serving.crm_contacts (
    contact_id with tag (
        seedbed.security.pii = 'none'
    ),
    email with tag (
        seedbed.security.pii = 'email'
    ),
    first_name with tag (
        seedbed.security.pii = 'name'
    ),
    last_name with tag (
        seedbed.security.pii = 'name'
    ),
    phone with tag (
        seedbed.security.pii = 'phone'
    ),
    company with tag (
        seedbed.security.pii = 'none'
    ),
    segment with tag (
        seedbed.security.pii = 'none'
    ),
    birth_date with tag (
        seedbed.security.pii = 'birth_date'
    ),
    opted_out with tag (
        seedbed.security.pii = 'none'
    ),
    updated_at with tag (
        seedbed.security.pii = 'none'
    ),
    is_deleted with tag (
        seedbed.security.pii = 'none'
    ),
    _source_ts with tag (
        seedbed.security.pii = 'none'
    ),
    _batch_seq with tag (
        seedbed.security.pii = 'none'
    )
)
copy grants
as
select
    contact_id,
    email,
    first_name,
    last_name,
    phone,
    company,
    segment,
    birth_date,
    opted_out,
    updated_at,
    is_deleted,
    _source_ts,
    _batch_seq
from seedbed.silver.crm_contacts;

create or replace secure view seedbed.serving.crm_contacts_history (
    contact_id with tag (
        seedbed.security.pii = 'none'
    ),
    email with tag (
        seedbed.security.pii = 'email'
    ),
    first_name with tag (
        seedbed.security.pii = 'name'
    ),
    last_name with tag (
        seedbed.security.pii = 'name'
    ),
    phone with tag (
        seedbed.security.pii = 'phone'
    ),
    company with tag (
        seedbed.security.pii = 'none'
    ),
    segment with tag (
        seedbed.security.pii = 'none'
    ),
    birth_date with tag (
        seedbed.security.pii = 'birth_date'
    ),
    opted_out with tag (
        seedbed.security.pii = 'none'
    ),
    updated_at with tag (
        seedbed.security.pii = 'none'
    ),
    valid_from with tag (
        seedbed.security.pii = 'none'
    ),
    valid_to with tag (
        seedbed.security.pii = 'none'
    ),
    is_current with tag (
        seedbed.security.pii = 'none'
    ),
    is_deleted with tag (
        seedbed.security.pii = 'none'
    ),
    version with tag (
        seedbed.security.pii = 'none'
    ),
    _source_ts with tag (
        seedbed.security.pii = 'none'
    ),
    _batch_seq with tag (
        seedbed.security.pii = 'none'
    )
)
copy grants
as
select
    contact_id,
    email,
    first_name,
    last_name,
    phone,
    company,
    segment,
    birth_date,
    opted_out,
    updated_at,
    valid_from,
    valid_to,
    is_current,
    is_deleted,
    version,
    _source_ts,
    _batch_seq
from seedbed.silver.crm_contacts_history;

create or replace secure view seedbed.serving.customers (
    customer_id with tag (
        seedbed.security.pii = 'none'
    ),
    email with tag (
        seedbed.security.pii = 'email'
    ),
    full_name with tag (
        seedbed.security.pii = 'name'
    ),
    phone with tag (
        seedbed.security.pii = 'phone'
    ),
    country with tag (
        seedbed.security.pii = 'none'
    ),
    city with tag (
        seedbed.security.pii = 'none'
    ),
    marketing_opt_in with tag (
        seedbed.security.pii = 'none'
    ),
    loyalty_points with tag (
        seedbed.security.pii = 'none'
    ),
    preferences with tag (
        seedbed.security.pii = 'none'
    ),
    created_at with tag (
        seedbed.security.pii = 'none'
    ),
    updated_at with tag (
        seedbed.security.pii = 'none'
    ),
    deleted_at with tag (
        seedbed.security.pii = 'none'
    ),
    is_deleted with tag (
        seedbed.security.pii = 'none'
    ),
    _source_ts with tag (
        seedbed.security.pii = 'none'
    ),
    _batch_seq with tag (
        seedbed.security.pii = 'none'
    )
)
with row access policy seedbed.security.rows_by_country on (country)
copy grants
as
select
    customer_id,
    email,
    full_name,
    phone,
    country,
    city,
    marketing_opt_in,
    loyalty_points,
    preferences,
    created_at,
    updated_at,
    deleted_at,
    is_deleted,
    _source_ts,
    _batch_seq
from seedbed.silver.customers;

create or replace secure view seedbed.serving.customers_history (
    customer_id with tag (
        seedbed.security.pii = 'none'
    ),
    email with tag (
        seedbed.security.pii = 'email'
    ),
    full_name with tag (
        seedbed.security.pii = 'name'
    ),
    phone with tag (
        seedbed.security.pii = 'phone'
    ),
    country with tag (
        seedbed.security.pii = 'none'
    ),
    city with tag (
        seedbed.security.pii = 'none'
    ),
    marketing_opt_in with tag (
        seedbed.security.pii = 'none'
    ),
    loyalty_points with tag (
        seedbed.security.pii = 'none'
    ),
    preferences with tag (
        seedbed.security.pii = 'none'
    ),
    created_at with tag (
        seedbed.security.pii = 'none'
    ),
    updated_at with tag (
        seedbed.security.pii = 'none'
    ),
    deleted_at with tag (
        seedbed.security.pii = 'none'
    ),
    valid_from with tag (
        seedbed.security.pii = 'none'
    ),
    valid_to with tag (
        seedbed.security.pii = 'none'
    ),
    is_current with tag (
        seedbed.security.pii = 'none'
    ),
    is_deleted with tag (
        seedbed.security.pii = 'none'
    ),
    version with tag (
        seedbed.security.pii = 'none'
    ),
    _source_ts with tag (
        seedbed.security.pii = 'none'
    ),
    _batch_seq with tag (
        seedbed.security.pii = 'none'
    )
)
with row access policy seedbed.security.rows_by_country on (country)
copy grants
as
select
    customer_id,
    email,
    full_name,
    phone,
    country,
    city,
    marketing_opt_in,
    loyalty_points,
    preferences,
    created_at,
    updated_at,
    deleted_at,
    valid_from,
    valid_to,
    is_current,
    is_deleted,
    version,
    _source_ts,
    _batch_seq
from seedbed.silver.customers_history;

create or replace secure view seedbed.serving.dim_customer (
    customer_key with tag (
        seedbed.security.pii = 'none'
    ),
    customer_id with tag (
        seedbed.security.pii = 'none'
    ),
    customer_name with tag (
        seedbed.security.pii = 'name'
    ),
    email with tag (
        seedbed.security.pii = 'email'
    ),
    country with tag (
        seedbed.security.pii = 'none'
    ),
    city with tag (
        seedbed.security.pii = 'none'
    ),
    has_marketing_consent with tag (
        seedbed.security.pii = 'none'
    ),
    contact_id with tag (
        seedbed.security.pii = 'none'
    ),
    segment with tag (
        seedbed.security.pii = 'none'
    ),
    company with tag (
        seedbed.security.pii = 'none'
    ),
    is_in_crm with tag (
        seedbed.security.pii = 'none'
    ),
    valid_from with tag (
        seedbed.security.pii = 'none'
    ),
    valid_to with tag (
        seedbed.security.pii = 'none'
    ),
    is_current with tag (
        seedbed.security.pii = 'none'
    ),
    is_deleted with tag (
        seedbed.security.pii = 'none'
    ),
    version with tag (
        seedbed.security.pii = 'none'
    )
)
with row access policy seedbed.security.rows_by_country on (country)
copy grants
as
select
    customer_key,
    customer_id,
    customer_name,
    email,
    country,
    city,
    has_marketing_consent,
    contact_id,
    segment,
    company,
    is_in_crm,
    valid_from,
    valid_to,
    is_current,
    is_deleted,
    version
from seedbed.gold.dim_customer;

create or replace secure view seedbed.serving.dim_date (
    date_day with tag (
        seedbed.security.pii = 'none'
    ),
    year_number with tag (
        seedbed.security.pii = 'none'
    ),
    quarter_number with tag (
        seedbed.security.pii = 'none'
    ),
    quarter_start with tag (
        seedbed.security.pii = 'none'
    ),
    month_number with tag (
        seedbed.security.pii = 'none'
    ),
    month_start with tag (
        seedbed.security.pii = 'none'
    ),
    month_name with tag (
        seedbed.security.pii = 'none'
    ),
    day_of_month with tag (
        seedbed.security.pii = 'none'
    ),
    iso_year with tag (
        seedbed.security.pii = 'none'
    ),
    iso_week with tag (
        seedbed.security.pii = 'none'
    ),
    iso_weekday with tag (
        seedbed.security.pii = 'none'
    ),
    weekday_name with tag (
        seedbed.security.pii = 'none'
    ),
    is_weekend with tag (
        seedbed.security.pii = 'none'
    )
)
copy grants
as
select
    date_day,
    year_number,
    quarter_number,
    quarter_start,
    month_number,
    month_start,
    month_name,
    day_of_month,
    iso_year,
    iso_week,
    iso_weekday,
    weekday_name,
    is_weekend
from seedbed.gold.dim_date;

create or replace secure view seedbed.serving.dim_product (
    product_key with tag (
        seedbed.security.pii = 'none'
    ),
    product_id with tag (
        seedbed.security.pii = 'none'
    ),
    sku with tag (
        seedbed.security.pii = 'none'
    ),
    product_name with tag (
        seedbed.security.pii = 'none'
    ),
    category with tag (
        seedbed.security.pii = 'none'
    ),
    price with tag (
        seedbed.security.pii = 'none'
    ),
    cost with tag (
        seedbed.security.pii = 'none'
    ),
    is_on_sale with tag (
        seedbed.security.pii = 'none'
    ),
    is_deleted with tag (
        seedbed.security.pii = 'none'
    ),
    supplier_id with tag (
        seedbed.security.pii = 'none'
    ),
    supplier_name with tag (
        seedbed.security.pii = 'none'
    ),
    supplier_country with tag (
        seedbed.security.pii = 'none'
    ),
    supplier_rating with tag (
        seedbed.security.pii = 'none'
    )
)
copy grants
as
select
    product_key,
    product_id,
    sku,
    product_name,
    category,
    price,
    cost,
    is_on_sale,
    is_deleted,
    supplier_id,
    supplier_name,
    supplier_country,
    supplier_rating
from seedbed.gold.dim_product;

create or replace secure view seedbed.serving.fct_order_items (
    order_item_id with tag (
        seedbed.security.pii = 'none'
    ),
    order_id with tag (
        seedbed.security.pii = 'none'
    ),
    customer_key with tag (
        seedbed.security.pii = 'none'
    ),
    product_key with tag (
        seedbed.security.pii = 'none'
    ),
    ordered_on with tag (
        seedbed.security.pii = 'none'
    ),
    currency with tag (
        seedbed.security.pii = 'none'
    ),
    is_cancelled with tag (
        seedbed.security.pii = 'none'
    ),
    quantity with tag (
        seedbed.security.pii = 'none'
    ),
    unit_price with tag (
        seedbed.security.pii = 'none'
    ),
    discount_rate with tag (
        seedbed.security.pii = 'none'
    ),
    gross_amount with tag (
        seedbed.security.pii = 'none'
    ),
    discount_amount with tag (
        seedbed.security.pii = 'none'
    ),
    net_amount with tag (
        seedbed.security.pii = 'none'
    ),
    cost_amount with tag (
        seedbed.security.pii = 'none'
    ),
    margin_amount with tag (
        seedbed.security.pii = 'none'
    )
)
copy grants
as
select
    order_item_id,
    order_id,
    customer_key,
    product_key,
    ordered_on,
    currency,
    is_cancelled,
    quantity,
    unit_price,
    discount_rate,
    gross_amount,
    discount_amount,
    net_amount,
    cost_amount,
    margin_amount
from seedbed.gold.fct_order_items;

create or replace secure view seedbed.serving.fct_orders (
    order_id with tag (
        seedbed.security.pii = 'none'
    ),
    customer_key with tag (
        seedbed.security.pii = 'none'
    ),
    customer_id with tag (
        seedbed.security.pii = 'none'
    ),
    ordered_at with tag (
        seedbed.security.pii = 'none'
    ),
    ordered_on with tag (
        seedbed.security.pii = 'none'
    ),
    status with tag (
        seedbed.security.pii = 'none'
    ),
    currency with tag (
        seedbed.security.pii = 'none'
    ),
    line_count with tag (
        seedbed.security.pii = 'none'
    ),
    item_count with tag (
        seedbed.security.pii = 'none'
    ),
    gross_amount with tag (
        seedbed.security.pii = 'none'
    ),
    discount_amount with tag (
        seedbed.security.pii = 'none'
    ),
    net_amount with tag (
        seedbed.security.pii = 'none'
    ),
    shipping_amount with tag (
        seedbed.security.pii = 'none'
    ),
    total_amount with tag (
        seedbed.security.pii = 'none'
    ),
    paid_amount with tag (
        seedbed.security.pii = 'none'
    ),
    refunded_amount with tag (
        seedbed.security.pii = 'none'
    ),
    is_cancelled with tag (
        seedbed.security.pii = 'none'
    ),
    is_returned with tag (
        seedbed.security.pii = 'none'
    ),
    is_fully_paid with tag (
        seedbed.security.pii = 'none'
    ),
    is_refunded with tag (
        seedbed.security.pii = 'none'
    )
)
copy grants
as
select
    order_id,
    customer_key,
    customer_id,
    ordered_at,
    ordered_on,
    status,
    currency,
    line_count,
    item_count,
    gross_amount,
    discount_amount,
    net_amount,
    shipping_amount,
    total_amount,
    paid_amount,
    refunded_amount,
    is_cancelled,
    is_returned,
    is_fully_paid,
    is_refunded
from seedbed.gold.fct_orders;

create or replace secure view seedbed.serving.inventory (
    product_id with tag (
        seedbed.security.pii = 'none'
    ),
    warehouse_code with tag (
        seedbed.security.pii = 'none'
    ),
    quantity with tag (
        seedbed.security.pii = 'none'
    ),
    reorder_level with tag (
        seedbed.security.pii = 'none'
    ),
    counted_at with tag (
        seedbed.security.pii = 'none'
    ),
    is_deleted with tag (
        seedbed.security.pii = 'none'
    ),
    _source_ts with tag (
        seedbed.security.pii = 'none'
    ),
    _batch_seq with tag (
        seedbed.security.pii = 'none'
    )
)
copy grants
as
select
    product_id,
    warehouse_code,
    quantity,
    reorder_level,
    counted_at,
    is_deleted,
    _source_ts,
    _batch_seq
from seedbed.silver.inventory;

create or replace secure view seedbed.serving.order_items (
    order_item_id with tag (
        seedbed.security.pii = 'none'
    ),
    order_id with tag (
        seedbed.security.pii = 'none'
    ),
    product_id with tag (
        seedbed.security.pii = 'none'
    ),
    quantity with tag (
        seedbed.security.pii = 'none'
    ),
    unit_price with tag (
        seedbed.security.pii = 'none'
    ),
    discount with tag (
        seedbed.security.pii = 'none'
    ),
    created_at with tag (
        seedbed.security.pii = 'none'
    ),
    updated_at with tag (
        seedbed.security.pii = 'none'
    ),
    is_deleted with tag (
        seedbed.security.pii = 'none'
    ),
    _source_ts with tag (
        seedbed.security.pii = 'none'
    ),
    _batch_seq with tag (
        seedbed.security.pii = 'none'
    )
)
copy grants
as
select
    order_item_id,
    order_id,
    product_id,
    quantity,
    unit_price,
    discount,
    created_at,
    updated_at,
    is_deleted,
    _source_ts,
    _batch_seq
from seedbed.silver.order_items;

create or replace secure view seedbed.serving.orders (
    order_id with tag (
        seedbed.security.pii = 'none'
    ),
    customer_id with tag (
        seedbed.security.pii = 'none'
    ),
    status with tag (
        seedbed.security.pii = 'none'
    ),
    ordered_at with tag (
        seedbed.security.pii = 'none'
    ),
    currency with tag (
        seedbed.security.pii = 'none'
    ),
    shipping_fee with tag (
        seedbed.security.pii = 'none'
    ),
    note with tag (
        seedbed.security.pii = 'free_text'
    ),
    updated_at with tag (
        seedbed.security.pii = 'none'
    ),
    is_deleted with tag (
        seedbed.security.pii = 'none'
    ),
    _source_ts with tag (
        seedbed.security.pii = 'none'
    ),
    _batch_seq with tag (
        seedbed.security.pii = 'none'
    )
)
copy grants
as
select
    order_id,
    customer_id,
    status,
    ordered_at,
    currency,
    shipping_fee,
    note,
    updated_at,
    is_deleted,
    _source_ts,
    _batch_seq
from seedbed.silver.orders;

create or replace secure view seedbed.serving.orders_history (
    order_id with tag (
        seedbed.security.pii = 'none'
    ),
    customer_id with tag (
        seedbed.security.pii = 'none'
    ),
    status with tag (
        seedbed.security.pii = 'none'
    ),
    ordered_at with tag (
        seedbed.security.pii = 'none'
    ),
    currency with tag (
        seedbed.security.pii = 'none'
    ),
    shipping_fee with tag (
        seedbed.security.pii = 'none'
    ),
    note with tag (
        seedbed.security.pii = 'free_text'
    ),
    updated_at with tag (
        seedbed.security.pii = 'none'
    ),
    op with tag (
        seedbed.security.pii = 'none'
    ),
    valid_from with tag (
        seedbed.security.pii = 'none'
    ),
    valid_to with tag (
        seedbed.security.pii = 'none'
    ),
    is_current with tag (
        seedbed.security.pii = 'none'
    ),
    is_deleted with tag (
        seedbed.security.pii = 'none'
    ),
    version with tag (
        seedbed.security.pii = 'none'
    ),
    _batch_seq with tag (
        seedbed.security.pii = 'none'
    )
)
copy grants
as
select
    order_id,
    customer_id,
    status,
    ordered_at,
    currency,
    shipping_fee,
    note,
    updated_at,
    op,
    valid_from,
    valid_to,
    is_current,
    is_deleted,
    version,
    _batch_seq
from seedbed.silver.orders_history;

create or replace secure view seedbed.serving.payments (
    payment_id with tag (
        seedbed.security.pii = 'none'
    ),
    order_id with tag (
        seedbed.security.pii = 'none'
    ),
    kind with tag (
        seedbed.security.pii = 'none'
    ),
    method with tag (
        seedbed.security.pii = 'none'
    ),
    amount with tag (
        seedbed.security.pii = 'none'
    ),
    paid_at with tag (
        seedbed.security.pii = 'none'
    ),
    is_deleted with tag (
        seedbed.security.pii = 'none'
    ),
    _source_ts with tag (
        seedbed.security.pii = 'none'
    ),
    _batch_seq with tag (
        seedbed.security.pii = 'none'
    )
)
copy grants
as
select
    payment_id,
    order_id,
    kind,
    method,
    amount,
    paid_at,
    is_deleted,
    _source_ts,
    _batch_seq
from seedbed.silver.payments;

create or replace secure view seedbed.serving.products (
    product_id with tag (
        seedbed.security.pii = 'none'
    ),
    supplier_id with tag (
        seedbed.security.pii = 'none'
    ),
    sku with tag (
        seedbed.security.pii = 'none'
    ),
    name with tag (
        seedbed.security.pii = 'none'
    ),
    category with tag (
        seedbed.security.pii = 'none'
    ),
    price with tag (
        seedbed.security.pii = 'none'
    ),
    cost with tag (
        seedbed.security.pii = 'none'
    ),
    attributes with tag (
        seedbed.security.pii = 'none'
    ),
    is_active with tag (
        seedbed.security.pii = 'none'
    ),
    created_at with tag (
        seedbed.security.pii = 'none'
    ),
    updated_at with tag (
        seedbed.security.pii = 'none'
    ),
    is_deleted with tag (
        seedbed.security.pii = 'none'
    ),
    _source_ts with tag (
        seedbed.security.pii = 'none'
    ),
    _batch_seq with tag (
        seedbed.security.pii = 'none'
    )
)
copy grants
as
select
    product_id,
    supplier_id,
    sku,
    name,
    category,
    price,
    cost,
    attributes,
    is_active,
    created_at,
    updated_at,
    is_deleted,
    _source_ts,
    _batch_seq
from seedbed.silver.products;

create or replace secure view seedbed.serving.products_history (
    product_id with tag (
        seedbed.security.pii = 'none'
    ),
    supplier_id with tag (
        seedbed.security.pii = 'none'
    ),
    sku with tag (
        seedbed.security.pii = 'none'
    ),
    name with tag (
        seedbed.security.pii = 'none'
    ),
    category with tag (
        seedbed.security.pii = 'none'
    ),
    price with tag (
        seedbed.security.pii = 'none'
    ),
    cost with tag (
        seedbed.security.pii = 'none'
    ),
    attributes with tag (
        seedbed.security.pii = 'none'
    ),
    is_active with tag (
        seedbed.security.pii = 'none'
    ),
    created_at with tag (
        seedbed.security.pii = 'none'
    ),
    updated_at with tag (
        seedbed.security.pii = 'none'
    ),
    valid_from with tag (
        seedbed.security.pii = 'none'
    ),
    valid_to with tag (
        seedbed.security.pii = 'none'
    ),
    is_current with tag (
        seedbed.security.pii = 'none'
    ),
    is_deleted with tag (
        seedbed.security.pii = 'none'
    ),
    version with tag (
        seedbed.security.pii = 'none'
    ),
    _batch_seq with tag (
        seedbed.security.pii = 'none'
    )
)
copy grants
as
select
    product_id,
    supplier_id,
    sku,
    name,
    category,
    price,
    cost,
    attributes,
    is_active,
    created_at,
    updated_at,
    valid_from,
    valid_to,
    is_current,
    is_deleted,
    version,
    _batch_seq
from seedbed.silver.products_history;

create or replace secure view seedbed.serving.suppliers (
    supplier_id with tag (
        seedbed.security.pii = 'none'
    ),
    name with tag (
        seedbed.security.pii = 'none'
    ),
    country with tag (
        seedbed.security.pii = 'none'
    ),
    contact_email with tag (
        seedbed.security.pii = 'email'
    ),
    rating with tag (
        seedbed.security.pii = 'none'
    ),
    created_at with tag (
        seedbed.security.pii = 'none'
    ),
    updated_at with tag (
        seedbed.security.pii = 'none'
    ),
    is_deleted with tag (
        seedbed.security.pii = 'none'
    ),
    _source_ts with tag (
        seedbed.security.pii = 'none'
    ),
    _batch_seq with tag (
        seedbed.security.pii = 'none'
    )
)
copy grants
as
select
    supplier_id,
    name,
    country,
    contact_email,
    rating,
    created_at,
    updated_at,
    is_deleted,
    _source_ts,
    _batch_seq
from seedbed.silver.suppliers;
