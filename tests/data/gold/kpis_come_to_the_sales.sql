-- The KPIs of each day and month are those of its sales, and each customer is
-- new once: the new customers of all days are the customers there are.
with

kpis as (

    select
        'day' as grain,
        kpi_date as period_start,
        currency,
        order_count,
        revenue,
        refunded_amount,
        customer_count
    from {{ ref('kpi_daily') }}
    where order_count > 0

    union all

    select
        'month' as grain,
        month_start as period_start,
        currency,
        order_count,
        revenue,
        refunded_amount,
        customer_count
    from {{ ref('kpi_monthly') }}
    where order_count > 0

    union all

    select
        'new, by day' as grain,
        cast(null as date) as period_start,
        currency,
        cast(null as bigint) as order_count,
        cast(null as numeric(18, 2)) as revenue,
        cast(null as numeric(18, 2)) as refunded_amount,
        sum(new_customer_count) as customer_count
    from {{ ref('kpi_daily') }}
    group by currency

    union all

    select
        'new, by month' as grain,
        cast(null as date) as period_start,
        currency,
        cast(null as bigint) as order_count,
        cast(null as numeric(18, 2)) as revenue,
        cast(null as numeric(18, 2)) as refunded_amount,
        sum(new_customer_count) as customer_count
    from {{ ref('kpi_monthly') }}
    group by currency

),

grains as (

    select 'new, by day' as grain

    union all

    select 'new, by month' as grain

),

sales as (

    select
        'day' as grain,
        sales_date as period_start,
        currency,
        order_count,
        total_amount as revenue,
        refunded_amount,
        customer_count
    from {{ ref('agg_daily_sales') }}

    union all

    select
        'month' as grain,
        month_start as period_start,
        currency,
        order_count,
        total_amount as revenue,
        refunded_amount,
        customer_count
    from {{ ref('agg_monthly_sales') }}

    union all

    select
        grains.grain,
        cast(null as date) as period_start,
        customers.currency,
        cast(null as bigint) as order_count,
        cast(null as numeric(18, 2)) as revenue,
        cast(null as numeric(18, 2)) as refunded_amount,
        count(*) as customer_count
    from {{ ref('customer_lifetime_value') }} as customers
    cross join grains
    group by
        grains.grain,
        customers.currency

),

in_one as (

    select
        'kpi' as side,
        kpis.*
    from kpis

    union all

    select
        'sales' as side,
        sales.*
    from sales

)

select
    grain,
    period_start,
    currency,
    max(side) as side
from in_one
group by
    grain,
    period_start,
    currency,
    order_count,
    revenue,
    refunded_amount,
    customer_count
having count(*) <> 2
