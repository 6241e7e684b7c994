{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    unique_key='order_id',
    indexes=[
        {'columns': ['order_item_id'], 'unique': true},
        {'columns': ['order_id']},
        {'columns': ['product_key']},
        {'columns': ['product_id']},
    ],
) }}

with

orders as (

    select
        order_id,
        customer_key,
        status,
        ordered_at,
        ordered_on,
        currency
    from {{ ref('int_orders') }}
    where {{ is_changed(key='order_id') }}

),

order_items as (

    select
        order_item_id,
        order_id,
        product_id,
        quantity,
        unit_price,
        discount
    from {{ ref('order_items') }}
    where not is_deleted

),

products as (

    select
        product_id,
        product_key
    from {{ ref('dim_product') }}

),

product_versions as (

    select
        product_id,
        cost,
        valid_from,
        valid_to,
        version
    from {{ ref('products_history') }}

),

-- The net is rounded, as the shop bills it; the discount is what it leaves.
amounts as (

    select
        order_item_id,
        order_id,
        product_id,
        quantity,
        unit_price,
        discount,
        cast(quantity * unit_price as numeric(18, 2)) as gross_amount,
        cast(
            round(quantity * unit_price * (1 - discount), 2) as numeric(18, 2)
        ) as net_amount
    from order_items

),

final as (

    select
        amounts.order_item_id,
        amounts.order_id,
        orders.customer_key,
        products.product_key,
        amounts.product_id,
        orders.ordered_on,
        orders.currency,
        orders.status = 'cancelled' as is_cancelled,
        orders.status = 'returned' as is_returned,
        amounts.quantity,
        amounts.unit_price,
        amounts.discount as discount_rate,
        amounts.gross_amount,
        cast(
            amounts.gross_amount - amounts.net_amount as numeric(18, 2)
        ) as discount_amount,
        amounts.net_amount,
        cast(
            amounts.quantity * product_versions.cost as numeric(18, 2)
        ) as cost_amount,
        cast(
            amounts.net_amount - amounts.quantity * product_versions.cost
            as numeric(18, 2)
        ) as margin_amount
    from amounts
    inner join orders
        on amounts.order_id = orders.order_id
    left join products
        on amounts.product_id = products.product_id
    left join product_versions
        on
            amounts.product_id = product_versions.product_id
            and {{ valid_at(
                versions='product_versions',
                instant='orders.ordered_at',
                first_reaches_back=true,
            ) }}

)

select * from final
