-- A day's orders with lines and payments, and one in fifty of the lines of a day three
-- weeks before, corrected.
insert into bronze.shop__orders (
    order_id, customer_id, status, ordered_at, currency, shipping_fee, updated_at,
    _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select 100000000 + {batch} * 1000000 + n, n, 'placed', at, 'EUR', 5, at, 'U', at, at,
    {batch}, hashtextextended('o' || {batch} || '.' || n, 0)
from generate_series(1, {lines} / 730) as n
cross join lateral (
    select timestamp '2026-01-01' + make_interval(days => {batch}, secs => n) as at
) as t;
insert into bronze.shop__order_items (
    order_item_id, order_id, product_id, quantity, unit_price, discount, created_at,
    updated_at, _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select order_id * 2 + line, order_id, 1 + (order_id + line) % 500, 1, 20, 0,
    ordered_at, ordered_at, 'U', ordered_at, ordered_at, {batch},
    hashtextextended('l' || order_id || '.' || line, 0)
from bronze.shop__orders
cross join generate_series(0, 1) as line
where _batch_seq = {batch};
insert into bronze.shop__payments (
    payment_id, order_id, kind, method, amount, paid_at,
    _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select order_id, order_id, 'payment', 'card', 45, ordered_at, 'U', ordered_at,
    ordered_at, {batch}, hashtextextended('m' || order_id, 0)
from bronze.shop__orders
where _batch_seq = {batch};
insert into bronze.shop__order_items (
    order_item_id, order_id, product_id, quantity, unit_price, discount, created_at,
    updated_at, _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select order_item_id, order_id, product_id, {batch}, unit_price, discount, created_at,
    at, 'U', at, at, {batch}, hashtextextended('k' || {batch} || '.' || order_item_id, 0)
from bronze.shop__order_items
cross join (
    select timestamp '2026-01-01' + make_interval(days => {batch}) as at
) as t
where
    _batch_seq = 1
    and order_item_id % 50 = 0;
