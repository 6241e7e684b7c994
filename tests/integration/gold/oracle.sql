-- What gold has to say, worked out by DuckDB straight from the shop's database,
-- which is attached as `source`. For each relation of gold a view of its name.
-- A ratio of whole numbers or amounts, rounded half away from nought: DuckDB divides
-- in floating point, which loses halves.
create or replace temp macro ratio(a, b, places) as (
    sign(a) * (
        (2 * abs(a * 100)::hugeint * (10 ** places)::hugeint + (b * 100)::hugeint)
        // (2 * (b * 100)::hugeint)
    )::decimal(30, 0) / (10 ** places)::decimal(10, 0)
)::decimal(18, 4);

create or replace temp table book as
with
lines as (
    select
        i.order_id,
        i.product_id,
        i.quantity,
        (i.quantity * i.unit_price)::decimal(18, 2) as gross,
        round(i.quantity * i.unit_price * (1 - i.discount), 2)::decimal(18, 2) as net,
        (i.quantity * p.cost)::decimal(18, 2) as cost
    from source.shop.order_items as i
    join source.shop.products as p using (product_id)
)

select
    o.order_id,
    o.customer_id,
    o.currency,
    o.status,
    o.ordered_at,
    o.ordered_at::date as ordered_on,
    o.shipping_fee,
    coalesce(l.lines, []) as lines,
    coalesce(list_sum([x.net for x in l.lines]), 0)::decimal(18, 2) as net,
    coalesce(list_sum([x.cost for x in l.lines]), 0)::decimal(18, 2) as cost,
    (net + o.shipping_fee)::decimal(18, 2) as total,
    coalesce(p.paid, 0)::decimal(18, 2) as paid,
    coalesce(p.refunded, 0)::decimal(18, 2) as refunded
from source.shop.orders as o
left join (
    select order_id, list(lines) as lines from lines group by all
) as l using (order_id)
left join (
    select
        order_id,
        sum(amount) filter (kind = 'payment') as paid,
        sum(amount) filter (kind = 'refund') as refunded
    from source.shop.payments
    group by all
) as p using (order_id);

-- Sold: what was not cancelled; each with the days its customer ordered on.
create or replace temp table sold as
select
    b.*,
    list_sort(list_distinct(
        list(ordered_on) over (partition by customer_id, currency)
    )) as days,
    list(order_id) over (
        partition by customer_id, currency order by ordered_at, order_id
        rows between unbounded preceding and unbounded following
    ) as order_ids,
    list_position(order_ids, order_id) as number,
    ordered_on + 90 as silent_on,
    case
        when not exists (
            select 1
            from book as n
            where
                n.customer_id = b.customer_id
                and n.currency = b.currency
                and n.status <> 'cancelled'
                and (n.ordered_at, n.order_id) > (b.ordered_at, b.order_id)
                and n.ordered_on <= b.ordered_on + 90
        )
            then silent_on
    end as lost_on
from book as b
where status <> 'cancelled';

create or replace temp view kpi_long as
with
last_day as (select max(ordered_on) as last_day from sold),

grains as (from (values ('day'), ('month')) as g (grain)),

sales as (
    select
        grain,
        date_trunc(grain, ordered_on)::date as period,
        currency,
        sum(total) as revenue,
        count(*) as order_count,
        count(distinct customer_id) as customer_count,
        count(distinct customer_id) filter (
            date_trunc(grain, days[1]) = date_trunc(grain, ordered_on)
        ) as new_customer_count,
        sum(refunded) as refunded_amount,
        sum(net) as net_amount,
        sum(net) - sum(cost) as gross_margin
    from sold, grains
    group by all
),

churn as (
    select
        grain,
        date_trunc(grain, silent_on)::date as period,
        currency,
        count(distinct customer_id) as due_customer_count,
        count(lost_on) as churned_customer_count
    from sold, grains, last_day
    where silent_on <= last_day
    group by all
),

wide as (
    select
        grain,
        period,
        currency,
        coalesce(revenue, 0) as revenue,
        coalesce(order_count, 0) as order_count,
        ratio(revenue, order_count, 2) as average_order_value,
        coalesce(customer_count, 0) as customer_count,
        coalesce(new_customer_count, 0) as new_customer_count,
        coalesce(customer_count - new_customer_count, 0)
            as returning_customer_count,
        coalesce(refunded_amount, 0) as refunded_amount,
        ratio(refunded_amount, nullif(revenue, 0), 4) as refund_rate,
        coalesce(net_amount, 0) as net_amount,
        coalesce(gross_margin, 0) as gross_margin,
        ratio(gross_margin, nullif(net_amount, 0), 4) as gross_margin_rate,
        coalesce(due_customer_count, 0) as due_customer_count,
        coalesce(churned_customer_count, 0) as churned_customer_count,
        ratio(churned_customer_count, due_customer_count, 4) as churn_rate
    from sales
    full join churn using (grain, period, currency)
)

select grain, period, currency, kpi, kpi_value
from (
    select
        grain, period, currency,
        columns(* exclude (grain, period, currency))::decimal(18, 4)
    from wide
)
unpivot (kpi_value for kpi in (* exclude (grain, period, currency)));

create or replace temp view kpi_daily_long as
select period as kpi_date, currency, kpi, kpi_value from kpi_long
where grain = 'day';

create or replace temp view kpi_monthly_long as
select period as month_start, currency, kpi, kpi_value from kpi_long
where grain = 'month';

create or replace temp view cohort_retention as
with
active as (
    select
        currency,
        date_trunc('month', days[1])::date as cohort_month,
        date_trunc('month', ordered_on)::date as month_start,
        list_distinct(list(customer_id)) as customers,
        count(*) as order_count,
        sum(total) as revenue
    from sold
    group by all
)

select
    currency,
    cohort_month,
    month_start,
    date_diff('month', cohort_month, month_start) as months_since,
    len(first.customers) as cohort_customer_count,
    len(active.customers) as customer_count,
    active.order_count,
    active.revenue,
    ratio(customer_count, cohort_customer_count, 4) as retention_rate,
    ratio(active.revenue, first.revenue, 4) as revenue_rate
from active
join (
    select currency, cohort_month, customers, revenue from active
    where month_start = cohort_month
) as first using (currency, cohort_month);

create or replace temp view customer_lifetime_value as
select
    customer_id,
    currency,
    any_value(days[1]) as first_ordered_on,
    any_value(days[-1]) as last_ordered_on,
    any_value(days[-1] - days[1]) as active_days,
    count(*) as order_count,
    sum(total) as revenue,
    sum(refunded) as refunded_amount,
    sum(total) - sum(refunded) as historic_value,
    sum(net) - sum(cost) as margin_amount,
    ratio(sum(total), count(*), 2) as average_order_value,
    ratio(
        (count(*) - 1) * 365 * (sum(total) - sum(refunded)),
        nullif(count(*) * any_value(days[-1] - days[1]), 0), 2
    ) as projected_value
from sold
group by all;

create or replace temp view agg_product_performance as
select
    date_trunc('month', ordered_on)::date as month_start,
    line.product_id,
    currency,
    count(distinct order_id) as order_count,
    sum(line.quantity) as item_count,
    coalesce(sum(line.quantity) filter (status = 'returned'), 0)
        as returned_item_count,
    sum(line.gross) as gross_amount,
    sum(line.gross) - sum(line.net) as discount_amount,
    sum(line.net) as net_amount,
    sum(line.cost) as cost_amount,
    sum(line.net) - sum(line.cost) as margin_amount
from (select *, unnest(lines) as line from sold)
group by all;

create or replace temp view agg_daily_sales as
select
    ordered_on as sales_date,
    currency,
    count(*) as order_count,
    count(distinct customer_id) as customer_count,
    sum(list_sum([x.quantity for x in lines])) as item_count,
    sum(shipping_fee) as shipping_amount,
    sum(total) as total_amount,
    sum(refunded) as refunded_amount
from sold
group by all;

create or replace temp view agg_monthly_sales as
select
    date_trunc('month', ordered_on)::date as month_start,
    currency,
    count(*) as order_count,
    count(distinct customer_id) as customer_count,
    sum(list_sum([x.quantity for x in lines])) as item_count,
    sum(shipping_fee) as shipping_amount,
    sum(total) as total_amount,
    sum(refunded) as refunded_amount
from sold
group by all;

create or replace temp view order_categories as
select
    b.order_id,
    s.number as order_number,
    s.days[1] as first_ordered_on,
    s.lost_on,
    b.paid >= b.total and b.paid > 0 as is_paid,
    len(b.lines) > 1 as has_several_lines
from book as b
left join sold as s using (order_id);

create or replace temp view dim_supplier as
select s.supplier_id, s.rating, count(p.product_id) as product_count
from source.shop.suppliers as s
left join source.shop.products as p using (supplier_id)
group by all;

create or replace temp view fct_payments as
select
    payment_id,
    order_id,
    o.currency,
    paid_at::date as paid_on,
    if(kind = 'refund', -amount, amount) as signed_amount
from source.shop.payments
join source.shop.orders as o using (order_id);

create or replace temp table fct_inventory_today as
select product_id, warehouse_code, quantity from source.shop.inventory;
