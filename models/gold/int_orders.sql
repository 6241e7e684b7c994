{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    unique_key='order_id',
    indexes=[{'columns': ['order_id'], 'unique': true}],
) }}

with

orders as (

    select
        order_id,
        customer_id,
        status,
        ordered_at,
        currency,
        shipping_fee
    from {{ ref('orders') }}
    where
        not is_deleted
        and {{ is_changed(key='order_id') }}

),

customer_versions as (

    select
        customer_key,
        customer_id,
        valid_from,
        valid_to,
        version
    from {{ ref('dim_customer') }}

),

-- An order older than the customer's first version belongs to that version.
final as (

    select
        orders.order_id,
        customer_versions.customer_key,
        orders.customer_id,
        orders.status,
        orders.ordered_at,
        cast(orders.ordered_at as date) as ordered_on,
        orders.currency,
        cast(orders.shipping_fee as numeric(18, 2)) as shipping_amount
    from orders
    left join customer_versions
        on
            orders.customer_id = customer_versions.customer_id
            and {{ valid_at(
                versions='customer_versions',
                instant='orders.ordered_at',
                first_reaches_back=true,
            ) }}

)

select * from final
