with

customer_log as (

    select customer_id
    from {{ ref('stg_shop__customers') }}
    where _batch_seq > {{ built_through(table='shop.customers') }}

),

new_contacts as (

    select distinct contact_id
    from {{ ref('stg_crm__contacts') }}
    where _batch_seq > {{ built_through(table='crm.contacts') }}

),

-- All addresses a contact ever had, so the customers it leaves are found too.
contact_emails as (

    select distinct contact_log.email
    from {{ ref('stg_crm__contacts') }} as contact_log
    inner join new_contacts
        on contact_log.contact_id = new_contacts.contact_id
    where contact_log.email is not null

),

customers_of_contacts as (

    select customers_history.customer_id
    from {{ ref('customers_history') }} as customers_history
    inner join contact_emails
        on customers_history.email = contact_emails.email

),

final as (

    select customer_id
    from customer_log

    union distinct

    select customer_id
    from customers_of_contacts

)

select * from final
