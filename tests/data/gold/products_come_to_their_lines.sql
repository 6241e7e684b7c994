-- Products of a currency come to what its lines come to, month by month; those
-- of cancelled orders are left out.
with

lines as (

    select
        dates.month_start,
        order_items.currency,
        sum(order_items.quantity) as item_count,
        cast(sum(order_items.net_amount) as numeric(18, 2)) as net_amount,
        cast(sum(order_items.margin_amount) as numeric(18, 2)) as margin_amount
    from {{ ref('fct_order_items') }} as order_items
    inner join {{ ref('dim_date') }} as dates
        on order_items.ordered_on = dates.date_day
    where not order_items.is_cancelled
    group by
        dates.month_start,
        order_items.currency

),

products as (

    select
        month_start,
        currency,
        sum(item_count) as item_count,
        cast(sum(net_amount) as numeric(18, 2)) as net_amount,
        cast(sum(margin_amount) as numeric(18, 2)) as margin_amount
    from {{ ref('agg_product_performance') }}
    group by
        month_start,
        currency

)

select
    coalesce(lines.month_start, products.month_start) as month_start,
    coalesce(lines.currency, products.currency) as currency,
    lines.net_amount as net_of_lines,
    products.net_amount as net_of_products
from lines
full outer join products
    on
        lines.month_start = products.month_start
        and lines.currency = products.currency
where
    lines.item_count is distinct from products.item_count
    or lines.net_amount is distinct from products.net_amount
    or lines.margin_amount is distinct from products.margin_amount
