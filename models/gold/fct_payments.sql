{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    unique_key='order_id',
    indexes=[
        {'columns': ['payment_id'], 'unique': true},
        {'columns': ['order_id']},
        {'columns': ['paid_on']},
    ],
) }}

with

orders as (

    select
        order_id,
        customer_key,
        ordered_on,
        currency
    from {{ ref('int_orders') }}
    where {{ is_changed(key='order_id') }}

),

payments as (

    select
        payment_id,
        order_id,
        kind,
        method,
        amount,
        paid_at
    from {{ ref('payments') }}
    where not is_deleted

),

final as (

    select
        payments.payment_id,
        payments.order_id,
        orders.customer_key,
        orders.ordered_on,
        payments.paid_at,
        cast(payments.paid_at as date) as paid_on,
        payments.kind,
        payments.method,
        orders.currency,
        cast(payments.amount as numeric(18, 2)) as amount,
        cast(
            case
                when payments.kind = 'refund' then -payments.amount
                else payments.amount
            end as numeric(18, 2)
        ) as signed_amount
    from payments
    inner join orders
        on payments.order_id = orders.order_id

)

select * from final
