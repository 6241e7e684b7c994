{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    unique_key=['product_id', 'month_start'],
    indexes=[
        {'columns': ['month_start', 'product_id', 'currency'], 'unique': true},
    ],
) }}

with

order_items as (

    select
        product_id,
        product_key,
        order_id,
        cast(date_trunc('month', ordered_on) as date) as month_start,
        currency,
        quantity,
        gross_amount,
        discount_amount,
        net_amount,
        cost_amount,
        margin_amount,
        is_returned
    from {{ ref('fct_order_items') }}
    where
        not is_cancelled

),

-- A product has one key; without it there is less to sort.
summed as (

    select
        month_start,
        product_id,
        max(product_key) as product_key,
        currency,
        count(distinct order_id) as order_count,
        sum(quantity) as item_count,
        sum(case when is_returned then quantity else 0 end)
            as returned_item_count,
        sum(gross_amount) as gross_amount,
        sum(discount_amount) as discount_amount,
        sum(net_amount) as net_amount,
        sum(cost_amount) as cost_amount,
        sum(margin_amount) as margin_amount
    from order_items
    where {{ is_changed(key='product_id, month_start') }}
    group by
        month_start,
        product_id,
        currency

),

final as (

    select
        month_start,
        product_id,
        product_key,
        currency,
        cast(order_count as bigint) as order_count,
        cast(item_count as bigint) as item_count,
        cast(returned_item_count as bigint) as returned_item_count,
        cast(gross_amount as numeric(18, 2)) as gross_amount,
        cast(discount_amount as numeric(18, 2)) as discount_amount,
        cast(net_amount as numeric(18, 2)) as net_amount,
        cast(cost_amount as numeric(18, 2)) as cost_amount,
        cast(margin_amount as numeric(18, 2)) as margin_amount,
        {{ quotient(
            numerator='margin_amount', denominator='net_amount', scale=4
        ) | indent(8) }} as margin_rate,
        {{ quotient(
            numerator='returned_item_count', denominator='item_count', scale=4
        ) | indent(8) }} as return_rate
    from summed

)

select * from final
