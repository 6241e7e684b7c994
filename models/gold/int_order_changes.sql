{{ config(materialized='view') }}

with

orders_of_orders as (

    select
        order_id,
        _batch_seq
    from {{ ref('stg_shop__orders') }}

),

-- The log has the order that a line or payment was with before as well.
orders_of_order_items as (

    select
        order_item_log.order_id,
        news._batch_seq
    from {{ ref('stg_shop__order_items') }} as news
    inner join {{ ref('stg_shop__order_items') }} as order_item_log
        on news.order_item_id = order_item_log.order_item_id

),

orders_of_payments as (

    select
        payment_log.order_id,
        news._batch_seq
    from {{ ref('stg_shop__payments') }} as news
    inner join {{ ref('stg_shop__payments') }} as payment_log
        on news.payment_id = payment_log.payment_id

),

orders_of_customers as (

    select
        orders.order_id,
        news._batch_seq
    from {{ ref('stg_shop__customers') }} as news
    inner join {{ ref('orders') }} as orders
        on news.customer_id = orders.customer_id

),

-- All addresses a contact ever had, so the customers it leaves are found too.
orders_of_contacts as (

    select
        orders.order_id,
        news._batch_seq
    from {{ ref('stg_crm__contacts') }} as news
    inner join {{ ref('stg_crm__contacts') }} as contact_log
        on news.contact_id = contact_log.contact_id
    inner join {{ ref('customers_history') }} as customers_history
        on contact_log.email = customers_history.email
    inner join {{ ref('orders') }} as orders
        on customers_history.customer_id = orders.customer_id

),

product_versions as (

    select
        product_id,
        cost,
        valid_from,
        version,
        _batch_seq,
        lag(cost) over (
            partition by product_id order by version
        ) as previous_cost
    from {{ ref('products_history') }}

),

-- The first version is of earlier orders, too; they may have come before it.
new_costs as (

    select
        product_id,
        version,
        valid_from,
        _batch_seq
    from product_versions
    where
        version = 1
        or cost is distinct from previous_cost

),

orders_of_products as (

    select
        orders.order_id,
        new_costs._batch_seq
    from new_costs
    inner join {{ ref('order_items') }} as order_items
        on new_costs.product_id = order_items.product_id
    inner join {{ ref('orders') }} as orders
        on
            order_items.order_id = orders.order_id
            and (
                new_costs.version = 1
                or new_costs.valid_from <= orders.ordered_at
            )

),

final as (
    {% for table_id, orders in {
        'shop.orders': 'orders_of_orders',
        'shop.order_items': 'orders_of_order_items',
        'shop.payments': 'orders_of_payments',
        'shop.customers': 'orders_of_customers',
        'crm.contacts': 'orders_of_contacts',
        'shop.products': 'orders_of_products',
    }.items() %}
    select
        order_id,
        cast('{{ table_id }}' as varchar(100)) as table_id,
        _batch_seq
    from {{ orders }}
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
)

select * from final
