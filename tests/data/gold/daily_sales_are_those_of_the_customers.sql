-- In each currency the days come to what the customers come to.
with

customers as (

    select
        currency,
        sum(order_count) as order_count,
        cast(sum(revenue) as numeric(18, 2)) as total_amount,
        cast(sum(refunded_amount) as numeric(18, 2)) as refunded_amount,
        cast(sum(margin_amount) as numeric(18, 2)) as margin_amount
    from {{ ref('customer_lifetime_value') }}
    group by currency

),

days as (

    select
        currency,
        sum(order_count) as order_count,
        cast(sum(total_amount) as numeric(18, 2)) as total_amount,
        cast(sum(refunded_amount) as numeric(18, 2)) as refunded_amount,
        cast(sum(margin_amount) as numeric(18, 2)) as margin_amount
    from {{ ref('agg_daily_sales') }}
    group by currency

)

select
    coalesce(customers.currency, days.currency) as currency,
    customers.total_amount as total_of_customers,
    days.total_amount as total_of_days
from customers
full outer join days
    on customers.currency = days.currency
where
    customers.order_count is distinct from days.order_count
    or customers.total_amount is distinct from days.total_amount
    or customers.refunded_amount is distinct from days.refunded_amount
    or customers.margin_amount is distinct from days.margin_amount
