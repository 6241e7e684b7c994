{{ config(
    materialized='table',
    indexes=[{'columns': ['kpi_date', 'currency'], 'unique': true}],
) }}
{%- set silence = days_until_lost() | int %}

with

sales as (

    select
        sales_date,
        currency,
        total_amount,
        net_amount,
        margin_amount,
        refunded_amount,
        order_count,
        customer_count
    from {{ ref('agg_daily_sales') }}

),

last_day as (

    select max(sales_date) as date_day
    from sales

),

-- So long after an order it shows whether the customer came back.
customers as (

    select
        ordered_on,
        cast(
            {{ dbt.dateadd('day', silence, 'ordered_on') }} as date
        ) as silent_on,
        currency,
        sum(new_customer_count) as new_customer_count,
        sum(customer_count) as customer_count,
        sum(lost_customer_count) as lost_customer_count
    from {{ ref('int_cohort_days') }}
    group by
        ordered_on,
        currency

),

churn_by_now as (

    select
        customers.silent_on,
        customers.currency,
        customers.customer_count as due_customer_count,
        customers.lost_customer_count as churned_customer_count
    from customers
    inner join last_day
        on customers.silent_on <= last_day.date_day

),

joined as (

    select
        coalesce(sales.sales_date, churn_by_now.silent_on) as kpi_date,
        coalesce(sales.currency, churn_by_now.currency) as currency,
        coalesce(sales.total_amount, 0) as revenue,
        coalesce(sales.net_amount, 0) as net_amount,
        coalesce(sales.margin_amount, 0) as margin_amount,
        coalesce(sales.refunded_amount, 0) as refunded_amount,
        coalesce(sales.order_count, 0) as order_count,
        coalesce(sales.customer_count, 0) as customer_count,
        coalesce(customers.new_customer_count, 0) as new_customer_count,
        coalesce(churn_by_now.due_customer_count, 0) as due_customer_count,
        coalesce(
            churn_by_now.churned_customer_count, 0
        ) as churned_customer_count
    from sales
    left join customers
        on
            sales.sales_date = customers.ordered_on
            and sales.currency = customers.currency
    full outer join churn_by_now
        on
            sales.sales_date = churn_by_now.silent_on
            and sales.currency = churn_by_now.currency

),

final as (

    select
        kpi_date,
        {{ kpi_columns() | indent(8) }}
    from joined

)

select * from final
