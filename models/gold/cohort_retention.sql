{{ config(
    materialized='table',
    indexes=[
        {
            'columns': ['currency', 'cohort_month', 'month_start'],
            'unique': true,
        },
    ],
) }}

with

days as (

    select
        currency,
        cohort_month,
        cast(date_trunc('month', ordered_on) as date) as month_start,
        first_of_month_count,
        order_count,
        revenue
    from {{ ref('int_cohort_days') }}

),

months as (

    select
        currency,
        cohort_month,
        month_start,
        cast(sum(first_of_month_count) as bigint) as customer_count,
        cast(sum(order_count) as bigint) as order_count,
        cast(sum(revenue) as numeric(18, 2)) as revenue
    from days
    group by
        currency,
        cohort_month,
        month_start

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
