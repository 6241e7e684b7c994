{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    unique_key='order_id',
    indexes=[
        {'columns': ['order_id'], 'unique': true},
        {'columns': ['customer_key']},
        {'columns': ['customer_id']},
        {'columns': ['ordered_on']},
    ],
) }}

with

orders as (

    select
        order_id,
        customer_key,
        customer_id,
        status,
        ordered_at,
        ordered_on,
        currency,
        shipping_amount
    from {{ ref('int_orders') }}
    where {{ is_changed(key='order_id') }}

),

order_items as (

    select
        order_id,
        quantity,
        gross_amount,
        discount_amount,
        net_amount,
        cost_amount
    from {{ ref('fct_order_items') }}
    where {{ is_changed(key='order_id') }}

),

payments as (

    select
        order_id,
        kind,
        amount
    from {{ ref('fct_payments') }}
    where {{ is_changed(key='order_id') }}

),

items_by_order as (

    select
        order_id,
        cast(count(*) as integer) as line_count,
        cast(sum(quantity) as bigint) as item_count,
        cast(sum(gross_amount) as numeric(18, 2)) as gross_amount,
        cast(sum(discount_amount) as numeric(18, 2)) as discount_amount,
        cast(sum(net_amount) as numeric(18, 2)) as net_amount,
        cast(sum(cost_amount) as numeric(18, 2)) as cost_amount
    from order_items
    group by order_id

),

payments_by_order as (

    select
        order_id,
        cast(
            sum(case when kind = 'payment' then amount else 0 end)
            as numeric(18, 2)
        ) as paid_amount,
        cast(
            sum(case when kind = 'refund' then amount else 0 end)
            as numeric(18, 2)
        ) as refunded_amount
    from payments
    group by order_id

),

-- An order without lines or payments has 0 of them, not NULL.
joined as (

    select
        orders.order_id,
        orders.customer_key,
        orders.customer_id,
        orders.ordered_at,
        orders.ordered_on,
        orders.status,
        orders.currency,
        coalesce(items_by_order.line_count, 0) as line_count,
        coalesce(items_by_order.item_count, 0) as item_count,
        cast(
            coalesce(items_by_order.gross_amount, 0) as numeric(18, 2)
        ) as gross_amount,
        cast(
            coalesce(items_by_order.discount_amount, 0) as numeric(18, 2)
        ) as discount_amount,
        cast(
            coalesce(items_by_order.net_amount, 0) as numeric(18, 2)
        ) as net_amount,
        cast(
            coalesce(items_by_order.cost_amount, 0) as numeric(18, 2)
        ) as cost_amount,
        orders.shipping_amount,
        cast(
            coalesce(items_by_order.net_amount, 0) + orders.shipping_amount
            as numeric(18, 2)
        ) as total_amount,
        cast(
            coalesce(payments_by_order.paid_amount, 0) as numeric(18, 2)
        ) as paid_amount,
        cast(
            coalesce(payments_by_order.refunded_amount, 0) as numeric(18, 2)
        ) as refunded_amount
    from orders
    left join items_by_order
        on orders.order_id = items_by_order.order_id
    left join payments_by_order
        on orders.order_id = payments_by_order.order_id

),

final as (

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
        cost_amount,
        cast(net_amount - cost_amount as numeric(18, 2)) as margin_amount,
        shipping_amount,
        total_amount,
        paid_amount,
        refunded_amount,
        status = 'cancelled' as is_cancelled,
        status = 'returned' as is_returned,
        paid_amount >= total_amount as is_fully_paid,
        refunded_amount > 0 as is_refunded
    from joined

)

select * from final
