-- The logs of a shop: {days} days, {orders} orders each; a customer joins for five.
insert into bronze.shop__customers (
    customer_id, email, full_name, country, city, marketing_opt_in, loyalty_points,
    created_at, updated_at, _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select n, 'c' || n || '@example.com', 'C ' || n, 'DE', 'Berlin', true, 0, at, at,
    'U', at, at, 1, decode(md5('c' || n), 'hex')
from generate_series(1, {days} * {orders} / 5) as n
cross join lateral (
    select timestamp '2026-01-01' - make_interval(days => {days})
        + make_interval(secs => n * 5 * 86400.0 / {orders}) as at
) as t;
insert into bronze.shop__suppliers (
    supplier_id, name, country, created_at, updated_at,
    _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select n, 'S ' || n, 'DE', '2020-01-01', '2020-01-01', 'U', '2020-01-01',
    '2020-01-01', 1, decode(md5('s' || n), 'hex')
from generate_series(1, 20) as n;
insert into bronze.shop__products (
    product_id, supplier_id, sku, name, category, price, cost, is_active, created_at,
    updated_at, _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select n, 1 + n % 20, 'K' || n, 'P ' || n, 'home', 20, 8, true, '2020-01-01',
    '2020-01-01', 'U', '2020-01-01', '2020-01-01', 1, decode(md5('p' || n), 'hex')
from generate_series(1, 500) as n;
insert into bronze.shop__inventory (
    product_id, warehouse_code, quantity, counted_at,
    _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select n, 'A', 5, '2026-01-01', 'U', '2026-01-01', '2026-01-01', 1,
    decode(md5('i' || n), 'hex')
from generate_series(1, 500) as n;
insert into bronze.shop__orders (
    order_id, customer_id, status, ordered_at, currency, shipping_fee, updated_at,
    _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select n, 1 + (n * 7919::bigint) % (1 + n / 5), 'delivered', at, 'EUR', 5, at,
    'U', at, at, 1, decode(md5('o' || n), 'hex')
from generate_series(1, {days} * {orders} - 5) as n
cross join lateral (
    select timestamp '2026-01-01' - make_interval(days => {days})
        + make_interval(secs => (n + 5) * 86400.0 / {orders}) as at
) as t;
update bronze.shop__orders set customer_id = least(customer_id, {days} * {orders} / 5);
insert into bronze.shop__order_items (
    order_item_id, order_id, product_id, quantity, unit_price, discount, created_at,
    updated_at, _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select order_id * 2 + line, order_id, 1 + (order_id * 31 + line) % 500, 1, 20, 0,
    ordered_at, ordered_at, 'U', ordered_at, ordered_at, 1,
    decode(md5('l' || order_id || '.' || line), 'hex')
from bronze.shop__orders cross join generate_series(0, 1) as line;
insert into bronze.shop__payments (
    payment_id, order_id, kind, method, amount, paid_at,
    _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select order_id, order_id, 'payment', 'card', 45, ordered_at, 'U', ordered_at,
    ordered_at, 1, decode(md5('m' || order_id), 'hex')
from bronze.shop__orders;
analyze;
-- The change.
-- Orders of the last day, and ten of its lines corrected, twenty days late.
insert into bronze.shop__orders (
    order_id, customer_id, status, ordered_at, currency, shipping_fee, updated_at,
    _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select 100000000 + {batch} * 1000000 + n, 1 + n, 'placed',
    timestamp '2026-01-01' + make_interval(days => {batch}, secs => n), 'EUR', 5,
    timestamp '2026-01-01' + make_interval(days => {batch}, secs => n), 'U',
    timestamp '2026-01-01' + make_interval(days => {batch}, secs => n),
    timestamp '2026-01-01' + make_interval(days => {batch}), {batch},
    decode(md5('o' || {batch} || '.' || n), 'hex')
from generate_series(1, {orders}) as n;
insert into bronze.shop__order_items (
    order_item_id, order_id, product_id, quantity, unit_price, discount, created_at,
    updated_at, _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select order_item_id, order_id, product_id, {batch}, unit_price, discount, created_at,
    timestamp '2026-01-01' + make_interval(days => {batch}), 'U',
    timestamp '2026-01-01' + make_interval(days => {batch}),
    timestamp '2026-01-01' + make_interval(days => {batch}), {batch},
    decode(md5('k' || {batch} || '.' || order_item_id), 'hex')
from bronze.shop__order_items
where
    _batch_seq = 1
    and created_at between '2025-12-12' and '2025-12-13'
order by order_item_id
limit 10;
