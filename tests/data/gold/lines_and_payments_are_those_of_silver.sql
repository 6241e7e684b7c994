-- Each line and payment of silver whose order is there is in gold, with its
-- amount.
with

orders as (

    select order_id
    from {{ ref('orders') }}
    where
        not is_deleted
        and {{ is_untested(key='order_id') }}

),

expected as (

    select
        'line' as kind,
        order_items.order_item_id as row_id,
        order_items.order_id,
        cast(
            order_items.quantity * order_items.unit_price as numeric(18, 2)
        ) as amount
    from {{ ref('order_items') }} as order_items
    inner join orders
        on order_items.order_id = orders.order_id
    where not order_items.is_deleted

    union all

    select
        payments.kind,
        payments.payment_id as row_id,
        payments.order_id,
        cast(payments.amount as numeric(18, 2)) as amount
    from {{ ref('payments') }} as payments
    inner join orders
        on payments.order_id = orders.order_id
    where not payments.is_deleted

),

found as (

    select
        'line' as kind,
        order_item_id as row_id,
        order_id,
        gross_amount as amount
    from {{ ref('fct_order_items') }}
    where {{ is_untested(key='order_id') }}

    union all

    select
        kind,
        payment_id as row_id,
        order_id,
        amount
    from {{ ref('fct_payments') }}
    where {{ is_untested(key='order_id') }}

)

select
    coalesce(expected.kind, found.kind) as kind,
    coalesce(expected.row_id, found.row_id) as row_id,
    expected.amount as expected_amount,
    found.amount
from expected
full outer join found
    on
        expected.kind = found.kind
        and expected.row_id = found.row_id
where
    expected.amount is distinct from found.amount
    or expected.order_id is distinct from found.order_id
