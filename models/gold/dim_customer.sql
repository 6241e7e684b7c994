{{ config(
    materialized='table',
    indexes=[
        {'columns': ['customer_key'], 'unique': true},
        {'columns': ['customer_id', 'version'], 'unique': true},
    ],
) }}
{#- A version ends where one of these changes. -#}
{%- set attributes = [
    'customer_name', 'email', 'country', 'city', 'has_marketing_consent',
    'contact_id', 'segment', 'company', 'is_deleted',
] %}
{%- set by_time = 'partition by customer_id order by valid_from' -%}
{%- set timestamp = warehouse_type('timestamp') %}

with

customers_history as (

    select
        customer_id,
        full_name,
        email,
        country,
        city,
        marketing_opt_in,
        created_at,
        valid_from,
        valid_to,
        is_deleted,
        version
    from {{ ref('customers_history') }}

),

crm_contacts_history as (

    select
        contact_id,
        email,
        segment,
        company,
        opted_out,
        valid_from,
        valid_to,
        is_deleted
    from {{ ref('crm_contacts_history') }}

),

-- What the shop first showed of a customer holds from the day of the account.
customer_versions as (

    select
        customer_id,
        full_name as customer_name,
        email,
        country,
        city,
        marketing_opt_in,
        is_deleted,
        case
            when version = 1 and created_at < valid_from then created_at
            else valid_from
        end as valid_from,
        coalesce(valid_to, cast('9999-12-31' as {{ timestamp }})) as valid_to
    from customers_history

),

-- A deleted contact, or one without an address, is nobody's.
contact_versions as (

    select
        contact_id,
        email,
        segment,
        company,
        opted_out,
        valid_from,
        coalesce(valid_to, cast('9999-12-31' as {{ timestamp }})) as valid_to
    from crm_contacts_history
    where
        not is_deleted
        and email is not null

),

-- While an address is both the customer's and the contact's.
matches as (

    select
        customer_versions.customer_id,
        contact_versions.contact_id,
        contact_versions.segment,
        contact_versions.company,
        contact_versions.opted_out,
        contact_versions.valid_from as contact_valid_from,
        greatest(
            customer_versions.valid_from, contact_versions.valid_from
        ) as valid_from,
        least(
            customer_versions.valid_to, contact_versions.valid_to
        ) as valid_to
    from customer_versions
    inner join contact_versions
        on
            customer_versions.email = contact_versions.email
            and customer_versions.valid_from < contact_versions.valid_to
            and customer_versions.valid_to > contact_versions.valid_from

),

-- Every instant at which something may change.
instants as (

    select
        customer_id,
        valid_from
    from customer_versions

    union distinct

    select
        customer_id,
        valid_from
    from matches

    union distinct

    select
        customer_id,
        valid_to as valid_from
    from matches
    where valid_to < cast('9999-12-31' as {{ timestamp }})

),

-- Of several contacts the one that changed last counts, then the lowest id;
-- but one that opted out speaks for all.
ranked_contacts as (

    select
        instants.customer_id,
        instants.valid_from,
        matches.contact_id,
        matches.segment,
        matches.company,
        max(case when matches.opted_out then 1 else 0 end) over (
            partition by instants.customer_id, instants.valid_from
        ) = 1 as has_opted_out,
        row_number() over (
            partition by instants.customer_id, instants.valid_from
            order by matches.contact_valid_from desc, matches.contact_id asc
        ) as contact_rank
    from instants
    inner join matches
        on
            instants.customer_id = matches.customer_id
            and instants.valid_from >= matches.valid_from
            and instants.valid_from < matches.valid_to

),

states as (

    select
        instants.customer_id,
        instants.valid_from,
        customer_versions.customer_name,
        customer_versions.email,
        customer_versions.country,
        customer_versions.city,
        customer_versions.marketing_opt_in
        and not customer_versions.is_deleted
        and not coalesce(
            ranked_contacts.has_opted_out, false
        ) as has_marketing_consent,
        ranked_contacts.contact_id,
        ranked_contacts.segment,
        ranked_contacts.company,
        customer_versions.is_deleted
    from instants
    inner join customer_versions
        on
            instants.customer_id = customer_versions.customer_id
            and instants.valid_from >= customer_versions.valid_from
            and instants.valid_from < customer_versions.valid_to
    left join ranked_contacts
        on
            instants.customer_id = ranked_contacts.customer_id
            and instants.valid_from = ranked_contacts.valid_from
            and ranked_contacts.contact_rank = 1

),

compared as (

    select
        *,
        lag(customer_id) over ({{ by_time }}) is null
        {%- for name in attributes %}
        or (lag({{ name }}) over ({{ by_time }}) is distinct from {{ name }})
        {%- endfor %} as is_change
    from states

),

versions as (

    select
        *,
        lead(valid_from) over ({{ by_time }}) as valid_to,
        row_number() over ({{ by_time }}) as version_number
    from compared
    where is_change

),

final as (

    select
        cast(
            {{ dbt_utils.generate_surrogate_key(
                ['customer_id', epoch_microseconds(instant='valid_from')]
            ) }} as varchar(32)
        ) as customer_key,
        customer_id,
        customer_name,
        email,
        country,
        city,
        has_marketing_consent,
        contact_id,
        segment,
        company,
        contact_id is not null as is_in_crm,
        valid_from,
        valid_to,
        valid_to is null as is_current,
        is_deleted,
        cast(version_number as integer) as version
    from versions

)

select * from final
