{{ config(materialized='view') }}

with

months as (

    select
        currency,
        cohort_month,
        month_start,
        customer_count,
        order_count,
        revenue
    from {{ ref('int_cohort_months') }}

),

-- In its own month everybody of a cohort ordered.
cohorts as (

    select
        currency,
        cohort_month,
        customer_count,
        revenue
    from months
    where month_start = cohort_month

),

final as (

    select
        months.currency,
        months.cohort_month,
        months.month_start,
        cast(
            {{ dbt.datediff(
                'months.cohort_month', 'months.month_start', 'month'
            ) }}
            as integer
        ) as months_since,
        cohorts.customer_count as cohort_customer_count,
        months.customer_count,
        months.order_count,
        months.revenue,
        {{ quotient(
            numerator='months.customer_count',
            denominator='cohorts.customer_count',
            scale=4,
        ) | indent(8) }} as retention_rate,
        {{ quotient(
            numerator='months.revenue', denominator='cohorts.revenue', scale=4
        ) | indent(8) }} as revenue_rate
    from months
    inner join cohorts
        on
            months.currency = cohorts.currency
            and months.cohort_month = cohorts.cohort_month

)

select * from final
