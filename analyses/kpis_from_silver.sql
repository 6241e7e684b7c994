-- Every KPI of kpi_daily_long and kpi_monthly_long, from silver only and in
-- other steps than gold: a customer's first period is looked for, not counted
-- up to; returning customers are looked for order by order.
{%- set silence = days_until_lost() | int %}
{%- set kpis = {
    'revenue': 'revenue',
    'order_count': 'order_count',
    'average_order_value': 
        quotient(numerator='revenue', denominator='order_count', scale=2),
    'customer_count': 'customer_count',
    'new_customer_count': 'new_customer_count',
    'returning_customer_count': 'returning_customer_count',
    'refunded_amount': 'refunded_amount',
    'refund_rate': 
        quotient(numerator='refunded_amount', denominator='revenue', scale=4),
    'net_amount': 'net_amount',
    'gross_margin': 'net_amount - cost_amount',
    'gross_margin_rate':
        quotient(
            numerator='net_amount - cost_amount',
            denominator='net_amount',
            scale=4,
        ),
    'due_customer_count': 'due_customer_count',
    'churned_customer_count': 'churned_customer_count',
    'churn_rate': quotient(
            numerator='churned_customer_count',
            denominator='due_customer_count',
            scale=4,
        ),
} %}

with

lines as (

    select
        order_items.order_id,
        round(
            order_items.quantity
            * order_items.unit_price
            * (1 - order_items.discount), 2
        ) as net_amount,
        order_items.quantity * (
            select products_history.cost
            from {{ ref('products_history') }} as products_history
            where
                products_history.product_id = order_items.product_id
                and (
                    products_history.valid_to is null
                    or products_history.valid_to > orders.ordered_at
                )
            order by products_history.valid_from
            limit 1
        ) as cost_amount
    from {{ ref('order_items') }} as order_items
    inner join {{ ref('orders') }} as orders
        on order_items.order_id = orders.order_id
    where not order_items.is_deleted

),

amounts as (

    select
        order_id,
        net_amount,
        cost_amount,
        0 as refunded_amount
    from lines

    union all

    select
        order_id,
        0 as net_amount,
        0 as cost_amount,
        amount as refunded_amount
    from {{ ref('payments') }}
    where
        kind = 'refund'
        and not is_deleted

),

amounts_by_order as (

    select
        order_id,
        sum(net_amount) as net_amount,
        sum(cost_amount) as cost_amount,
        sum(refunded_amount) as refunded_amount
    from amounts
    group by order_id

),

orders as (

    select
        orders.customer_id,
        orders.currency,
        cast(orders.ordered_at as date) as ordered_on,
        coalesce(amounts_by_order.net_amount, 0)
        + orders.shipping_fee as revenue,
        coalesce(amounts_by_order.net_amount, 0) as net_amount,
        coalesce(amounts_by_order.cost_amount, 0) as cost_amount,
        coalesce(amounts_by_order.refunded_amount, 0) as refunded_amount
    from {{ ref('orders') }} as orders
    left join amounts_by_order
        on orders.order_id = amounts_by_order.order_id
    where
        not orders.is_deleted
        and orders.status <> 'cancelled'

),

grains as (

    select cast('day' as varchar(5)) as grain

    union all

    select cast('month' as varchar(5)) as grain

),

orders_by_period as (

    select
        grains.grain,
        cast(
            date_trunc(grains.grain, orders.ordered_on) as date
        ) as period_start,
        orders.*
    from orders
    cross join grains

),

customer_days as (

    select distinct
        customer_id,
        currency,
        ordered_on,
        cast(
            {{ dbt.dateadd('day', silence, 'ordered_on') }} as date
        ) as silent_on
    from orders

),

last_day as (

    select max(ordered_on) as date_day
    from orders

),

silences as (

    select
        grains.grain,
        cast(date_trunc(grains.grain, customer_days.silent_on) as date)
            as period_start,
        customer_days.customer_id,
        customer_days.currency,
        case
            when not exists (
                select 1
                from customer_days as later_days
                where
                    later_days.customer_id = customer_days.customer_id
                    and later_days.currency = customer_days.currency
                    and later_days.ordered_on > customer_days.ordered_on
                    and later_days.ordered_on <= customer_days.silent_on
            ) then 1
            else 0
        end as is_lost
    from customer_days
    cross join grains
    cross join last_day
    where customer_days.silent_on <= last_day.date_day

),

customer_periods as (

    select
        grain,
        customer_id,
        currency,
        period_start,
        min(period_start) over (
            partition by grain, customer_id, currency
        ) as first_period
    from (
        select distinct
            grain,
            customer_id,
            currency,
            period_start
        from orders_by_period
    ) as distinct_periods

),

measures as (

    select
        grain,
        period_start,
        currency,
        revenue,
        1 as order_count,
        net_amount,
        cost_amount,
        refunded_amount,
        0 as customer_count,
        0 as new_customer_count,
        0 as returning_customer_count,
        0 as churned_customer_count
    from orders_by_period

    union all

    select
        grain,
        period_start,
        currency,
        0 as revenue,
        0 as order_count,
        0 as net_amount,
        0 as cost_amount,
        0 as refunded_amount,
        1 as customer_count,
        case when period_start = first_period then 1 else 0 end
            as new_customer_count,
        case when period_start > first_period then 1 else 0 end
            as returning_customer_count,
        0 as churned_customer_count
    from customer_periods

    union all

    select
        grain,
        period_start,
        currency,
        0 as revenue,
        0 as order_count,
        0 as net_amount,
        0 as cost_amount,
        0 as refunded_amount,
        0 as customer_count,
        0 as new_customer_count,
        0 as returning_customer_count,
        is_lost as churned_customer_count
    from silences

),

due_customers as (

    select
        grain,
        period_start,
        currency,
        count(distinct customer_id) as due_customer_count
    from silences
    group by
        grain,
        period_start,
        currency

),

summed as (

    select
        measures.grain,
        measures.period_start,
        measures.currency,
        coalesce(due_customers.due_customer_count, 0) as due_customer_count,
        sum(measures.revenue) as revenue,
        sum(measures.order_count) as order_count,
        sum(measures.net_amount) as net_amount,
        sum(measures.cost_amount) as cost_amount,
        sum(measures.refunded_amount) as refunded_amount,
        sum(measures.customer_count) as customer_count,
        sum(measures.new_customer_count) as new_customer_count,
        sum(measures.returning_customer_count) as returning_customer_count,
        sum(measures.churned_customer_count) as churned_customer_count
    from measures
    left join due_customers
        on
            measures.grain = due_customers.grain
            and measures.period_start = due_customers.period_start
            and measures.currency = due_customers.currency
    group by
        measures.grain,
        measures.period_start,
        measures.currency,
        due_customers.due_customer_count

),

in_rows as (
    {% for kpi, expression in kpis.items() %}
    select
        grain,
        period_start,
        currency,
        '{{ kpi }}' as kpi,
        cast(
            {{ expression | indent(12) }}
            as numeric(18, 4)
        ) as kpi_value
    from summed
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
)

select
    grain,
    period_start,
    currency,
    kpi,
    kpi_value
from in_rows
where kpi_value is not null
order by
    grain,
    period_start,
    currency,
    kpi
