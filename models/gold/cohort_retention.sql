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

-- Cancelled orders have no number.
categories as (

    select
        customer_id,
        currency,
        total_amount,
        cast(date_trunc('month', first_ordered_on) as date) as cohort_month,
        cast(date_trunc('month', ordered_on) as date) as month_start
    from {{ ref('order_categories') }}
    where order_number is not null

),

months as (

    select
        currency,
        cohort_month,
        month_start,
        cast(count(distinct customer_id) as bigint) as customer_count,
        cast(count(*) as bigint) as order_count,
        cast(sum(total_amount) as numeric(18, 2)) as revenue
    from categories
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
