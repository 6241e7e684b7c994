create or replace secure view seedbed.serving.dim_customer (
    customer_key with tag (seedbed.security.pii = 'none'),
    customer_id with tag (seedbed.security.pii = 'none'),
    customer_name with tag (seedbed.security.pii = 'name'),
    email with tag (seedbed.security.pii = 'email'),
    country with tag (seedbed.security.pii = 'none'),
    city with tag (seedbed.security.pii = 'none'),
    has_marketing_consent with tag (seedbed.security.pii = 'none'),
    contact_id with tag (seedbed.security.pii = 'none'),
    segment with tag (seedbed.security.pii = 'none'),
    company with tag (seedbed.security.pii = 'none'),
    is_in_crm with tag (seedbed.security.pii = 'none'),
    valid_from with tag (seedbed.security.pii = 'none'),
    valid_to with tag (seedbed.security.pii = 'none'),
    is_current with tag (seedbed.security.pii = 'none'),
    is_deleted with tag (seedbed.security.pii = 'none'),
    version with tag (seedbed.security.pii = 'none')
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
