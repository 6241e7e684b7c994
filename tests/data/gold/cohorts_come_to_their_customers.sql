-- In each currency the cohorts, the segments and the days of new customers come
-- to what the customers come to.
with

customers as (

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

days as (

    select
        currency,
        sum(order_count) as order_count,
        sum(new_customer_count) as customer_count,
        cast(sum(revenue) as numeric(18, 2)) as revenue
    from {{ ref('int_cohort_days') }}
    group by currency

)

select
    customers.currency,
    customers.customer_count,
    customers.order_count,
    customers.revenue
from customers
full outer join cohorts
    on customers.currency = cohorts.currency
full outer join segments
    on customers.currency = segments.currency
full outer join days
    on customers.currency = days.currency
where
    customers.order_count is distinct from cohorts.order_count
    or customers.order_count is distinct from segments.order_count
    or customers.order_count is distinct from days.order_count
    or customers.customer_count is distinct from cohorts.customer_count
    or customers.customer_count is distinct from segments.customer_count
    or customers.customer_count is distinct from days.customer_count
    or customers.revenue is distinct from cohorts.revenue
    or customers.revenue is distinct from days.revenue
