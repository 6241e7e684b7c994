-- Of the customers who first ordered in a month, how many ordered again in
-- each of the months that followed.
with

order_months as (

    select distinct
        orders.customer_id,
        dates.month_start,
        dates.year_number * 12 + dates.month_number as month_index
    from {{ ref('fct_orders') }} as orders
    inner join {{ ref('dim_date') }} as dates
        on orders.ordered_on = dates.date_day
    where not orders.is_cancelled

),

first_months as (

    select
        customer_id,
        min(month_start) as cohort_month,
        min(month_index) as cohort_index
    from order_months
    group by customer_id

),

active as (

    select
        first_months.cohort_month,
        order_months.month_index - first_months.cohort_index as months_later,
        count(*) as customer_count
    from order_months
    inner join first_months
        on order_months.customer_id = first_months.customer_id
    group by
        first_months.cohort_month,
        order_months.month_index - first_months.cohort_index

),

sized as (

    select
        cohort_month,
        months_later,
        customer_count,
        max(customer_count) over (partition by cohort_month) as cohort_size
    from active

)

select
    cohort_month,
    months_later,
    customer_count,
    {{ quotient(
        numerator='100 * customer_count', denominator='cohort_size', scale=1
    ) | indent(4) }} as percent_of_cohort
from sized
order by
    cohort_month,
    months_later
