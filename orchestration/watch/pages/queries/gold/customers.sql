-- Customers by month, new and returning, of the largest book.
with

monthly as (

    select * from {gold}.kpi_monthly

),

book as (

    select currency from monthly
    group by currency
    order by sum(revenue) desc
    limit 1

)

select
    monthly.currency,
    monthly.month_start as month,
    monthly.new_customer_count as new_customers,
    monthly.returning_customer_count as returning_customers
from monthly
inner join book on monthly.currency = book.currency
where monthly.customer_count > 0
order by monthly.month_start desc
limit 18
