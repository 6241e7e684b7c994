-- A year of a shop, as silver has it: two lines an order, five orders a customer.
truncate silver.customers_history, silver.crm_contacts_history, silver.orders_history,
    silver.order_items, silver.payments,
    bronze.shop__customers, bronze.crm__contacts, bronze.shop__orders,
    bronze.shop__order_items, bronze.shop__payments;
insert into silver.customers_history (
    customer_id, email, full_name, country, city, marketing_opt_in, loyalty_points,
    created_at, updated_at, valid_from, is_current, is_deleted, version, _source_ts,
    _batch_seq
)
select n, 'c' || n || '@example.com', 'C ' || n, 'DE', 'Berlin', true, 0, at, at, at,
    true, false, 1, at, 1
from generate_series(1, {lines} / 10) as n
cross join lateral (
    select timestamp '2025-01-01' + n * interval '365 days' / ({lines} / 10) as at
) as t;
insert into silver.crm_contacts_history (
    contact_id, email, segment, company, opted_out, updated_at,
    valid_from, is_current, is_deleted, version, _source_ts, _batch_seq
)
select 'k' || n, 'c' || n * 10 || '@example.com', 'smb', 'X', false, '2025-01-01',
    '2025-01-01', true, false, 1, '2025-01-01', 1
from generate_series(1, {lines} / 100) as n;
insert into silver.orders_history (
    order_id, customer_id, status, ordered_at, currency, shipping_fee, updated_at,
    op, valid_from, is_current, is_deleted, version, _batch_seq
)
select n, 1 + (n * 7919::bigint) % (1 + n / 5), 'delivered', at, 'EUR', 5, at,
    'I', at, true, false, 1, 1
from generate_series(1, {lines} / 2) as n
cross join lateral (
    select timestamp '2025-01-01' + n * interval '365 days' / ({lines} / 2) as at
) as t;
update silver.orders_history set customer_id = {lines} / 10
where customer_id > {lines} / 10;
insert into silver.order_items (
    order_item_id, order_id, product_id, quantity, unit_price, discount, created_at,
    updated_at, is_deleted, _source_ts, _batch_seq
)
select order_id * 2 + line, order_id, 1 + (order_id * 31 + line) % 500, 1, 20, 0,
    ordered_at, ordered_at, false, ordered_at, 1
from silver.orders_history
cross join generate_series(0, 1) as line;
insert into silver.payments (
    payment_id, order_id, kind, method, amount, paid_at, is_deleted, _source_ts,
    _batch_seq
)
select order_id, order_id, 'payment', 'card', 45, ordered_at, false, ordered_at, 1
from silver.orders_history;
-- Of the logs, what the changes come back to: one day, three weeks ago.
insert into bronze.shop__orders (
    order_id, customer_id, status, ordered_at, currency, shipping_fee, updated_at,
    _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select order_id, customer_id, status, ordered_at, currency, shipping_fee, updated_at,
    'U', ordered_at, ordered_at, 1, hashtextextended('o' || order_id, 0)
from silver.orders_history
where ordered_at between '2025-12-12' and '2025-12-13';
insert into bronze.shop__order_items (
    order_item_id, order_id, product_id, quantity, unit_price, discount, created_at,
    updated_at, _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select order_item_id, order_id, product_id, quantity, unit_price, discount, created_at,
    updated_at, 'U', updated_at, updated_at, 1, hashtextextended('l' || order_item_id, 0)
from silver.order_items
where created_at between '2025-12-12' and '2025-12-13';
