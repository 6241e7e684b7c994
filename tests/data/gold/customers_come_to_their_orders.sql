-- Each customer's value, and the categories of their orders, come to what their
-- orders in a currency come to.
with

orders as (

    select
        customer_id,
        currency,
        count(*) as order_count,
        cast(sum(total_amount) as numeric(18, 2)) as revenue
    from {{ ref('fct_orders') }}
    where
        not is_cancelled
        and {{ is_untested(key='customer_id') }}
    group by
        customer_id,
        currency

),

lifetime_values as (

    select
        customer_id,
        currency,
        order_count,
        revenue
    from {{ ref('customer_lifetime_value') }}
    where {{ is_untested(key='customer_id') }}

),

categories as (

    select
        customer_id,
        currency,
        count(*) as order_count,
        count(distinct order_number) as number_count,
        max(order_number) as last_number,
        cast(sum(total_amount) as numeric(18, 2)) as revenue
    from {{ ref('order_categories') }}
    where
        order_number is not null
        and {{ is_untested(key='customer_id') }}
    group by
        customer_id,
        currency

)

select
    coalesce(
        orders.customer_id, lifetime_values.customer_id, categories.customer_id
    ) as customer_id,
    orders.order_count,
    orders.revenue
from orders
full outer join lifetime_values
    on
        orders.customer_id = lifetime_values.customer_id
        and orders.currency = lifetime_values.currency
full outer join categories
    on
        orders.customer_id = categories.customer_id
        and orders.currency = categories.currency
where
    orders.order_count is distinct from lifetime_values.order_count
    or orders.order_count is distinct from categories.order_count
    or orders.order_count is distinct from categories.number_count
    or orders.order_count is distinct from categories.last_number
    or orders.revenue is distinct from lifetime_values.revenue
    or orders.revenue is distinct from categories.revenue
