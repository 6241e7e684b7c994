{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    unique_key='sales_date',
    indexes=[{'columns': ['sales_date', 'currency'], 'unique': true}],
) }}

with

orders as (

    select
        ordered_on,
        currency,
        item_count,
        gross_amount,
        discount_amount,
        net_amount,
        margin_amount,
        shipping_amount,
        total_amount,
        refunded_amount
    from {{ ref('fct_orders') }}
    where
        not is_cancelled
        and {{ is_changed(key='ordered_on') }}

),

customers as (

    select
        ordered_on,
        currency,
        sum(customer_count) as customer_count
    from {{ ref('int_cohort_days') }}
    group by
        ordered_on,
        currency

),

summed as (

    select
        ordered_on,
        currency,
        count(*) as order_count,
        count(case when discount_amount > 0 then 1 end)
            as discounted_order_count,
        sum(item_count) as item_count,
        sum(gross_amount) as gross_amount,
        sum(discount_amount) as discount_amount,
        sum(net_amount) as net_amount,
        sum(margin_amount) as margin_amount,
        sum(shipping_amount) as shipping_amount,
        sum(total_amount) as total_amount,
        sum(refunded_amount) as refunded_amount
    from orders
    group by
        ordered_on,
        currency

),

final as (

    select
        summed.ordered_on as sales_date,
        summed.currency,
        cast(summed.order_count as bigint) as order_count,
        cast(summed.discounted_order_count as bigint) as discounted_order_count,
        cast(customers.customer_count as bigint) as customer_count,
        cast(summed.item_count as bigint) as item_count,
        cast(summed.gross_amount as numeric(18, 2)) as gross_amount,
        cast(summed.discount_amount as numeric(18, 2)) as discount_amount,
        cast(summed.net_amount as numeric(18, 2)) as net_amount,
        cast(summed.margin_amount as numeric(18, 2)) as margin_amount,
        cast(summed.shipping_amount as numeric(18, 2)) as shipping_amount,
        cast(summed.total_amount as numeric(18, 2)) as total_amount,
        cast(summed.refunded_amount as numeric(18, 2)) as refunded_amount,
        {{ quotient(
            numerator='summed.total_amount',
            denominator='summed.order_count',
            scale=2,
        ) | indent(8) }} as average_order_amount
    from summed
    inner join customers
        on
            summed.ordered_on = customers.ordered_on
            and summed.currency = customers.currency

)

select * from final
