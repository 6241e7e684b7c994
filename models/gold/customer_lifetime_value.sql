{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    unique_key='customer_id',
    indexes=[{'columns': ['customer_id', 'currency'], 'unique': true}],
) }}
{%- set horizon_days = 365 %}

with

orders as (

    select
        customer_id,
        currency,
        ordered_on,
        total_amount,
        refunded_amount,
        margin_amount
    from {{ ref('fct_orders') }}
    where
        not is_cancelled
        and {{ is_changed(key='customer_id') }}

),

summed as (

    select
        customer_id,
        currency,
        min(ordered_on) as first_ordered_on,
        max(ordered_on) as last_ordered_on,
        count(*) as order_count,
        sum(total_amount) as revenue,
        sum(refunded_amount) as refunded_amount,
        sum(margin_amount) as margin_amount
    from orders
    group by
        customer_id,
        currency

),

paced as (

    select
        *,
        revenue - refunded_amount as historic_value,
        {{ dbt.datediff('first_ordered_on', 'last_ordered_on', 'day') }}
            as active_days
    from summed

),

-- Who ordered on one day only shows no pace, and gets no projection.
final as (

    select
        customer_id,
        currency,
        first_ordered_on,
        last_ordered_on,
        cast(active_days as integer) as active_days,
        cast(order_count as bigint) as order_count,
        cast(revenue as numeric(18, 2)) as revenue,
        cast(refunded_amount as numeric(18, 2)) as refunded_amount,
        cast(historic_value as numeric(18, 2)) as historic_value,
        cast(margin_amount as numeric(18, 2)) as margin_amount,
        {{ quotient(
            numerator='revenue', denominator='order_count', scale=2
        ) | indent(8) }} as average_order_value,
        {{ quotient(
            numerator='(order_count - 1) * historic_value * ' ~ horizon_days,
            denominator='order_count * active_days',
            scale=2,
        ) | indent(8) }} as projected_value
    from paced

)

select * from final
