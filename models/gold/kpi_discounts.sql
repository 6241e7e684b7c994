with

days as (

    select
        cast(date_trunc('month', sales_date) as date) as month_start,
        currency,
        order_count,
        discounted_order_count,
        gross_amount,
        discount_amount
    from {{ ref('agg_daily_sales') }}

),

months as (

    select
        month_start,
        currency,
        sum(order_count) as order_count,
        sum(discounted_order_count) as discounted_order_count,
        sum(gross_amount) as gross_amount,
        sum(discount_amount) as discount_amount
    from days
    group by
        month_start,
        currency

),

final as (

    select
        month_start,
        currency,
        cast(order_count as bigint) as order_count,
        cast(discounted_order_count as bigint) as discounted_order_count,
        {{ quotient(
            numerator='discounted_order_count',
            denominator='order_count',
            scale=4,
        ) | indent(8) }} as discounted_order_rate,
        cast(gross_amount as numeric(18, 2)) as gross_amount,
        cast(discount_amount as numeric(18, 2)) as discount_amount,
        {{ quotient(
            numerator='discount_amount', denominator='gross_amount', scale=4
        ) | indent(8) }} as discount_rate
    from months

)

select * from final
