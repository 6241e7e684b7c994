-- In each currency the customers' values, their cohorts, their segments and the
-- categories of their orders come to what the orders come to.
with

orders as (

    select
        currency,
        count(*) as order_count,
        count(distinct customer_id) as customer_count,
        cast(sum(total_amount) as numeric(18, 2)) as revenue
    from {{ ref('fct_orders') }}
    where not is_cancelled
    group by currency

),

lifetime_values as (

    select
        currency,
        sum(order_count) as order_count,
        count(*) as customer_count,
        cast(sum(revenue) as numeric(18, 2)) as revenue
    from {{ ref('customer_lifetime_value') }}
    group by currency

),

cohorts as (

    select
        currency,
        sum(order_count) as order_count,
        sum(
            case when months_since = 0 then cohort_customer_count else 0 end
        ) as customer_count,
        cast(sum(revenue) as numeric(18, 2)) as revenue
    from {{ ref('cohort_retention') }}
    group by currency

),

segments as (

    select
        currency,
        sum(order_count) as order_count,
        count(*) as customer_count
    from {{ ref('customer_segments') }}
    group by currency

),

categories as (

    select
        currency,
        count(order_number) as order_count,
        count(case when order_number = 1 then 1 end) as customer_count
    from {{ ref('order_categories') }}
    group by currency

)

select
    orders.currency,
    orders.customer_count,
    orders.order_count,
    orders.revenue
from orders
full outer join lifetime_values
    on orders.currency = lifetime_values.currency
full outer join cohorts
    on orders.currency = cohorts.currency
full outer join segments
    on orders.currency = segments.currency
full outer join categories
    on orders.currency = categories.currency
where
    orders.order_count is distinct from lifetime_values.order_count
    or orders.order_count is distinct from cohorts.order_count
    or orders.order_count is distinct from segments.order_count
    -- A currency may have cancelled orders only.
    or coalesce(orders.order_count, 0)
    is distinct from coalesce(categories.order_count, 0)
    or orders.customer_count is distinct from lifetime_values.customer_count
    or orders.customer_count is distinct from cohorts.customer_count
    or orders.customer_count is distinct from segments.customer_count
    or coalesce(orders.customer_count, 0)
    is distinct from coalesce(categories.customer_count, 0)
    or orders.revenue is distinct from lifetime_values.revenue
    or orders.revenue is distinct from cohorts.revenue
