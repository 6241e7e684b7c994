{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    unique_key='customer_id',
    indexes=[
        {'columns': ['order_id'], 'unique': true},
        {'columns': ['customer_id']},
        {'columns': ['ordered_on']},
    ],
) }}
{%- set in_order = 'order by ordered_at, order_id' %}
{%- set silence = days_until_lost() | int %}

with

orders as (

    select
        order_id,
        customer_id,
        currency,
        ordered_at,
        ordered_on,
        status,
        line_count,
        item_count,
        discount_amount,
        total_amount,
        paid_amount,
        is_cancelled
    from {{ ref('fct_orders') }}
    where {{ is_changed(key='customer_id') }}

),

-- An order's place among those of its customer; cancelled ones have none.
placed as (

    select
        order_id,
        row_number() over (
            partition by customer_id, currency {{ in_order }}
        ) as order_number,
        min(ordered_on) over (
            partition by customer_id, currency
        ) as first_ordered_on,
        lag(ordered_on) over (
            partition by customer_id, currency {{ in_order }}
        ) as previous_ordered_on,
        lead(ordered_on) over (
            partition by customer_id, currency {{ in_order }}
        ) as next_ordered_on,
        cast(
            {{ dbt.dateadd('day', silence, 'ordered_on') }} as date
        ) as silent_on
    from orders
    where not is_cancelled

),

final as (

    select
        orders.order_id,
        orders.customer_id,
        orders.currency,
        orders.ordered_on,
        orders.total_amount,
        cast(
            case
                when orders.total_amount < 250 then 'small'
                when orders.total_amount < 1000 then 'medium'
                else 'large'
            end as varchar(10)
        ) as size_category,
        cast(
            case
                when orders.line_count = 0 then 'empty'
                when orders.line_count > 1 then 'several products'
                when orders.item_count > 1 then 'several pieces'
                else 'single piece'
            end as varchar(20)
        ) as basket_category,
        cast(
            case
                when orders.is_cancelled then 'cancelled'
                when placed.order_number = 1 then 'first order'
                when
                    placed.previous_ordered_on
                    < {{ dbt.dateadd('day', -silence, 'orders.ordered_on') }}
                    then 'won back'
                else 'repeat order'
            end as varchar(20)
        ) as customer_category,
        cast(
            case
                when orders.paid_amount = 0 then 'unpaid'
                when orders.paid_amount < orders.total_amount then 'part paid'
                when orders.paid_amount > orders.total_amount then 'overpaid'
                else 'paid'
            end as varchar(10)
        ) as payment_category,
        cast(
            case
                when orders.status in ('placed', 'paid', 'shipped') then 'open'
                when orders.status = 'delivered' then 'completed'
                else orders.status
            end as varchar(20)
        ) as outcome_category,
        orders.discount_amount > 0 as is_discounted,
        cast(placed.order_number as integer) as order_number,
        placed.first_ordered_on,
        placed.previous_ordered_on,
        placed.next_ordered_on,
        case
            when
                placed.next_ordered_on is null
                or placed.next_ordered_on > placed.silent_on
                then placed.silent_on
        end as lost_on
    from orders
    left join placed
        on orders.order_id = placed.order_id

)

select * from final
