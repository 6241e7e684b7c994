-- The products of a month and currency come to what its days come to. A line of
-- an unknown product has no cost.
with

products as (

    select
        month_start,
        currency,
        sum(item_count) as item_count,
        cast(sum(net_amount) as numeric(18, 2)) as net_amount,
        cast(
            sum(net_amount - coalesce(cost_amount, 0)) as numeric(18, 2)
        ) as margin_amount
    from {{ ref('agg_product_performance') }}
    group by
        month_start,
        currency

),

days as (

    select
        dates.month_start,
        daily_sales.currency,
        sum(daily_sales.item_count) as item_count,
        cast(sum(daily_sales.net_amount) as numeric(18, 2)) as net_amount,
        cast(sum(daily_sales.margin_amount) as numeric(18, 2)) as margin_amount
    from {{ ref('agg_daily_sales') }} as daily_sales
    inner join {{ ref('dim_date') }} as dates
        on daily_sales.sales_date = dates.date_day
    group by
        dates.month_start,
        daily_sales.currency

)

select
    coalesce(days.month_start, products.month_start) as month_start,
    coalesce(days.currency, products.currency) as currency,
    days.net_amount as net_of_days,
    products.net_amount as net_of_products
from days
full outer join products
    on
        days.month_start = products.month_start
        and days.currency = products.currency
-- Orders without lines have no products.
where
    coalesce(days.item_count, 0) <> coalesce(products.item_count, 0)
    or coalesce(days.net_amount, 0) <> coalesce(products.net_amount, 0)
    or coalesce(days.margin_amount, 0) <> coalesce(products.margin_amount, 0)
