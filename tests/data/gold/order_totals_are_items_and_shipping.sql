-- Worked out from silver, so that it doesn't repeat the models' own steps.
with

items as (

    select
        order_id,
        cast(
            sum(round(quantity * unit_price * (1 - discount), 2))
            as numeric(18, 2)
        ) as net_amount
    from {{ ref('order_items') }}
    where
        not is_deleted
        and {{ is_untested(key='order_id') }}
    group by order_id

),

orders as (

    select
        order_id,
        total_amount
    from {{ ref('fct_orders') }}
    where {{ is_untested(key='order_id') }}

),

expected as (

    select
        orders_of_silver.order_id,
        coalesce(items.net_amount, 0)
        + orders_of_silver.shipping_fee as total_amount
    from {{ ref('orders') }} as orders_of_silver
    left join items
        on orders_of_silver.order_id = items.order_id
    where
        not orders_of_silver.is_deleted
        and {{ is_untested(key='orders_of_silver.order_id') }}

)

select
    coalesce(expected.order_id, orders.order_id) as order_id,
    expected.total_amount as expected_amount,
    orders.total_amount
from expected
full outer join orders
    on expected.order_id = orders.order_id
where expected.total_amount is distinct from orders.total_amount
