-- What share of the customers of a month came back later, in the largest book.
with

cohorts as (

    select * from {gold}.cohort_retention

),

book as (

    select currency from cohorts
    group by currency
    order by sum(revenue) desc
    limit 1

)

select
    cohorts.currency,
    cohorts.cohort_month as cohort,
    cohorts.months_since,
    cohorts.cohort_customer_count as customers,
    cohorts.retention_rate as rate
from cohorts
inner join book on cohorts.currency = book.currency
where
    cohorts.cohort_month > (
        select max(cohort_month) from cohorts
    ) - interval '12 months'
order by cohorts.cohort_month, cohorts.months_since
