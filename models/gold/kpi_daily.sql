{{ config(
    materialized='table',
    indexes=[{'columns': ['kpi_date', 'currency'], 'unique': true}],
) }}
{%- set silence = days_until_lost() | int %}

with

orders as (

    select
        fct_orders.customer_id,
        fct_orders.ordered_on,
        fct_orders.currency,
        fct_orders.total_amount,
        fct_orders.net_amount,
        fct_orders.margin_amount,
        fct_orders.refunded_amount,
        order_categories.order_number
    from {{ ref('fct_orders') }} as fct_orders
    inner join {{ ref('order_categories') }} as order_categories
        on fct_orders.order_id = order_categories.order_id
    where
        not fct_orders.is_cancelled

),

-- Orders after which it shows whether the customer comes back.
silences as (

    select
        customer_id,
        currency,
        cast(
            {{ dbt.dateadd('day', silence, 'ordered_on') }} as date
        ) as silent_on,
        lost_on
    from {{ ref('order_categories') }}
    where
        order_number is not null

),

last_day as (

    select max(ordered_on) as date_day
    from {{ ref('fct_orders') }}
    where not is_cancelled

),

sales as (

    select
        ordered_on as kpi_date,
        currency,
        sum(total_amount) as revenue,
        sum(net_amount) as net_amount,
        sum(margin_amount) as margin_amount,
        sum(refunded_amount) as refunded_amount,
        count(*) as order_count,
        count(distinct customer_id) as customer_count,
        count(case when order_number = 1 then 1 end) as new_customer_count
    from orders
    group by
        ordered_on,
        currency

),

churn as (

    select
        silences.silent_on as kpi_date,
        silences.currency,
        count(distinct silences.customer_id) as due_customer_count,
        count(silences.lost_on) as churned_customer_count
    from silences
    inner join last_day
        on silences.silent_on <= last_day.date_day
    group by
        silences.silent_on,
        silences.currency

),

joined as (

    select
        coalesce(sales.kpi_date, churn.kpi_date) as kpi_date,
        coalesce(sales.currency, churn.currency) as currency,
        coalesce(sales.revenue, 0) as revenue,
        coalesce(sales.net_amount, 0) as net_amount,
        coalesce(sales.margin_amount, 0) as margin_amount,
        coalesce(sales.refunded_amount, 0) as refunded_amount,
        coalesce(sales.order_count, 0) as order_count,
        coalesce(sales.customer_count, 0) as customer_count,
        coalesce(sales.new_customer_count, 0) as new_customer_count,
        coalesce(churn.due_customer_count, 0) as due_customer_count,
        coalesce(churn.churned_customer_count, 0) as churned_customer_count
    from sales
    full outer join churn
        on
            sales.kpi_date = churn.kpi_date
            and sales.currency = churn.currency

),

final as (

    select
        kpi_date,
        {{ kpi_columns() | indent(8) }}
    from joined

)

select * from final
