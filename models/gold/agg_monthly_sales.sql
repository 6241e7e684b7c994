{{ config(
    materialized='table',
    indexes=[{'columns': ['month_start', 'currency'], 'unique': true}],
) }}

with

daily_sales as (

    select
        cast(date_trunc('month', sales_date) as date) as month_start,
        currency,
        order_count,
        item_count,
        gross_amount,
        discount_amount,
        net_amount,
        shipping_amount,
        total_amount,
        refunded_amount
    from {{ ref('agg_daily_sales') }}

),

cohort_days as (

    select
        cast(date_trunc('month', ordered_on) as date) as month_start,
        currency,
        first_of_month_count
    from {{ ref('int_cohort_days') }}

),

months as (

    select
        month_start,
        currency,
        sum(order_count) as order_count,
        sum(item_count) as item_count,
        sum(gross_amount) as gross_amount,
        sum(discount_amount) as discount_amount,
        sum(net_amount) as net_amount,
        sum(shipping_amount) as shipping_amount,
        sum(total_amount) as total_amount,
        sum(refunded_amount) as refunded_amount
    from daily_sales
    group by
        month_start,
        currency

),

-- Somebody who buys on two days is one customer of the month.
customers as (

    select
        month_start,
        currency,
        sum(first_of_month_count) as customer_count
    from cohort_days
    group by
        month_start,
        currency

),

final as (

    select
        months.month_start,
        months.currency,
        cast(months.order_count as bigint) as order_count,
        cast(customers.customer_count as bigint) as customer_count,
        cast(months.item_count as bigint) as item_count,
        cast(months.gross_amount as numeric(18, 2)) as gross_amount,
        cast(months.discount_amount as numeric(18, 2)) as discount_amount,
        cast(months.net_amount as numeric(18, 2)) as net_amount,
        cast(months.shipping_amount as numeric(18, 2)) as shipping_amount,
        cast(months.total_amount as numeric(18, 2)) as total_amount,
        cast(months.refunded_amount as numeric(18, 2)) as refunded_amount,
        {{ quotient(
            numerator='months.total_amount',
            denominator='months.order_count',
            scale=2,
        ) | indent(8) }} as average_order_amount
    from months
    inner join customers
        on
            months.month_start = customers.month_start
            and months.currency = customers.currency

)

select * from final
