-- The open version of each customer shows the shop's current state, and an
-- address the CRM has now.
with

versions as (

    select
        customer_id,
        customer_name,
        email,
        country,
        city,
        is_deleted,
        contact_id
    from {{ ref('dim_customer') }}
    where is_current

),

contacts as (

    select
        contact_id,
        email
    from {{ ref('crm_contacts') }}
    where not is_deleted

)

select
    coalesce(customers.customer_id, versions.customer_id) as customer_id,
    versions.contact_id
from {{ ref('customers') }} as customers
full outer join versions
    on customers.customer_id = versions.customer_id
left join contacts
    on versions.contact_id = contacts.contact_id
where
    customers.full_name is distinct from versions.customer_name
    or customers.email is distinct from versions.email
    or customers.country is distinct from versions.country
    or customers.city is distinct from versions.city
    or customers.is_deleted is distinct from versions.is_deleted
    or (
        versions.contact_id is not null
        and contacts.email is distinct from versions.email
    )
    or (
        versions.contact_id is null
        and exists (
            select 1
            from contacts as candidates
            where candidates.email = versions.email
        )
    )
