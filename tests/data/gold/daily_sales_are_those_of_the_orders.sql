-- The days' revenue and refunds are those of all orders but the cancelled ones.
with

orders as (

    select
        currency,
        count(*) as order_count,
        cast(sum(total_amount) as numeric(18, 2)) as total_amount,
        cast(sum(refunded_amount) as numeric(18, 2)) as refunded_amount
    from {{ ref('fct_orders') }}
    where not is_cancelled
    group by currency

),

days as (

    select
        currency,
        sum(order_count) as order_count,
        cast(sum(total_amount) as numeric(18, 2)) as total_amount,
        cast(sum(refunded_amount) as numeric(18, 2)) as refunded_amount
    from {{ ref('agg_daily_sales') }}
    group by currency

)

select
    coalesce(orders.currency, days.currency) as currency,
    orders.total_amount as total_of_orders,
    days.total_amount as total_of_days
from orders
full outer join days
    on orders.currency = days.currency
where
    orders.order_count is distinct from days.order_count
    or orders.total_amount is distinct from days.total_amount
    or orders.refunded_amount is distinct from days.refunded_amount
