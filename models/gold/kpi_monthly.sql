{{ config(
    materialized='table',
    indexes=[{'columns': ['month_start', 'currency'], 'unique': true}],
) }}
{%- set silence = days_until_lost() | int %}

with

days as (

    select
        cast(date_trunc('month', kpi_date) as date) as month_start,
        currency,
        revenue,
        net_amount,
        gross_margin as margin_amount,
        refunded_amount,
        order_count,
        new_customer_count,
        churned_customer_count
    from {{ ref('kpi_daily') }}

),

sales as (

    select
        month_start,
        currency,
        customer_count
    from {{ ref('agg_monthly_sales') }}

),

silences as (

    select
        cast(
            {{ dbt.dateadd('day', silence, 'ordered_on') }} as date
        ) as silent_on,
        currency,
        first_silent_count
    from {{ ref('int_cohort_days') }}

),

last_day as (

    select max(sales_date) as date_day
    from {{ ref('agg_daily_sales') }}

),

months as (

    select
        month_start,
        currency,
        sum(revenue) as revenue,
        sum(net_amount) as net_amount,
        sum(margin_amount) as margin_amount,
        sum(refunded_amount) as refunded_amount,
        sum(order_count) as order_count,
        sum(new_customer_count) as new_customer_count,
        sum(churned_customer_count) as churned_customer_count
    from days
    group by
        month_start,
        currency

),

due_customers as (

    select
        cast(date_trunc('month', silences.silent_on) as date) as month_start,
        silences.currency,
        sum(silences.first_silent_count) as due_customer_count
    from silences
    inner join last_day
        on silences.silent_on <= last_day.date_day
    group by
        cast(date_trunc('month', silences.silent_on) as date),
        silences.currency

),

joined as (

    select
        months.month_start,
        months.currency,
        months.revenue,
        months.net_amount,
        months.margin_amount,
        months.refunded_amount,
        months.order_count,
        coalesce(sales.customer_count, 0) as customer_count,
        months.new_customer_count,
        coalesce(due_customers.due_customer_count, 0) as due_customer_count,
        months.churned_customer_count
    from months
    left join sales
        on
            months.month_start = sales.month_start
            and months.currency = sales.currency
    left join due_customers
        on
            months.month_start = due_customers.month_start
            and months.currency = due_customers.currency

),

final as (

    select
        month_start,
        {{ kpi_columns() | indent(8) }}
    from joined

)

select * from final
