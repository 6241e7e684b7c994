{{ config(
    materialized='table',
    indexes=[{'columns': ['sales_date', 'currency'], 'unique': true}],
) }}

with

orders as (

    select
        customer_id,
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

),

final as (

    select
        ordered_on as sales_date,
        currency,
        cast(count(*) as bigint) as order_count,
        cast(count(distinct customer_id) as bigint) as customer_count,
        cast(sum(item_count) as bigint) as item_count,
        cast(sum(gross_amount) as numeric(18, 2)) as gross_amount,
        cast(sum(discount_amount) as numeric(18, 2)) as discount_amount,
        cast(sum(net_amount) as numeric(18, 2)) as net_amount,
        cast(sum(margin_amount) as numeric(18, 2)) as margin_amount,
        cast(sum(shipping_amount) as numeric(18, 2)) as shipping_amount,
        cast(sum(total_amount) as numeric(18, 2)) as total_amount,
        cast(sum(refunded_amount) as numeric(18, 2)) as refunded_amount,
        {{ quotient(
            numerator='sum(total_amount)', denominator='count(*)', scale=2
        ) | indent(8) }} as average_order_amount
    from orders
    group by
        ordered_on,
        currency

)

select * from final
