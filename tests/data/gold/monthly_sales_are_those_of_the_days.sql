-- Each month comes to what its days come to, found by way of the calendar.
with

days as (

    select
        dates.month_start,
        daily_sales.currency,
        sum(daily_sales.order_count) as order_count,
        cast(
            sum(daily_sales.total_amount) as numeric(18, 2)
        ) as total_amount,
        cast(
            sum(daily_sales.refunded_amount) as numeric(18, 2)
        ) as refunded_amount
    from {{ ref('agg_daily_sales') }} as daily_sales
    inner join {{ ref('dim_date') }} as dates
        on daily_sales.sales_date = dates.date_day
    group by
        dates.month_start,
        daily_sales.currency

),

months as (

    select
        month_start,
        currency,
        order_count,
        total_amount,
        refunded_amount
    from {{ ref('agg_monthly_sales') }}

)

select
    coalesce(days.month_start, months.month_start) as month_start,
    coalesce(days.currency, months.currency) as currency,
    days.total_amount as total_of_days,
    months.total_amount as total_of_month
from days
full outer join months
    on
        days.month_start = months.month_start
        and days.currency = months.currency
where
    days.order_count is distinct from months.order_count
    or days.total_amount is distinct from months.total_amount
    or days.refunded_amount is distinct from months.refunded_amount
