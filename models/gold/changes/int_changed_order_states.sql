with

new_orders as (

    select order_id
    from {{ ref('stg_shop__orders') }}
    where _batch_seq > {{ built_through(table='shop.orders') }}

),

new_order_items as (

    select distinct order_item_id
    from {{ ref('stg_shop__order_items') }}
    where _batch_seq > {{ built_through(table='shop.order_items') }}

),

new_payments as (

    select distinct payment_id
    from {{ ref('stg_shop__payments') }}
    where _batch_seq > {{ built_through(table='shop.payments') }}

),

-- The log has the order that a line or payment was with before as well.
orders_of_order_items as (

    select order_item_log.order_id
    from {{ ref('stg_shop__order_items') }} as order_item_log
    inner join new_order_items
        on order_item_log.order_item_id = new_order_items.order_item_id

),

orders_of_payments as (

    select payment_log.order_id
    from {{ ref('stg_shop__payments') }} as payment_log
    inner join new_payments
        on payment_log.payment_id = new_payments.payment_id

),

product_versions as (

    select
        product_id,
        cost,
        valid_from,
        version,
        _batch_seq,
        lag(cost) over (
            partition by product_id order by version
        ) as previous_cost
    from {{ ref('products_history') }}

),

new_costs as (

    select
        product_id,
        min(valid_from) as valid_from
    from product_versions
    where
        _batch_seq > {{ built_through(table='shop.products') }}
        and version > 1
        and cost is distinct from previous_cost
    group by product_id

),

orders_of_costs as (

    select orders.order_id
    from new_costs
    inner join {{ ref('order_items') }} as order_items
        on new_costs.product_id = order_items.product_id
    inner join {{ ref('orders') }} as orders
        on
            order_items.order_id = orders.order_id
            and new_costs.valid_from <= orders.ordered_at

),

changed as (

    select order_id
    from new_orders

    union distinct

    select order_id
    from orders_of_order_items

    union distinct

    select order_id
    from orders_of_payments

    union distinct

    select order_id
    from orders_of_costs

),

final as (

    select distinct
        order_log.order_id,
        order_log.customer_id,
        order_log.currency,
        order_log.ordered_at,
        cast(order_log.ordered_at as date) as ordered_on,
        cast(
            date_trunc('month', order_log.ordered_at) as date
        ) as month_start
    from {{ ref('stg_shop__orders') }} as order_log
    inner join changed
        on order_log.order_id = changed.order_id

)

select * from final
