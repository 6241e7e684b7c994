-- Revenue by day, and its mean over seven days, of the three largest books.
with

daily as (

    select * from {gold}.kpi_daily

),

books as (

    select currency from daily
    group by currency
    order by sum(revenue) desc
    limit 3

)

select
    currency,
    kpi_date as day,
    revenue,
    avg(revenue) over (
        partition by currency
        order by kpi_date
        range between interval '6 days' preceding and current row
    ) as mean_revenue
from daily
where
    currency in (select currency from books)
    and order_count > 0
    and kpi_date > (select max(kpi_date) from daily) - 120
order by currency, kpi_date
