-- The logs of the small tables.
insert into bronze.shop__suppliers (
    supplier_id, name, country, created_at, updated_at,
    _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select n, 'S ' || n, 'DE', '2020-01-01', '2020-01-01', 'U', '2020-01-01',
    '2020-01-01', 1, hashtextextended('s' || n, 0)
from generate_series(1, 20) as n;
insert into bronze.shop__products (
    product_id, supplier_id, sku, name, category, price, cost, is_active, created_at,
    updated_at, _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select n, 1 + n % 20, 'K' || n, 'P ' || n, 'home', 20, 8, true, '2020-01-01',
    '2020-01-01', 'U', '2020-01-01', '2020-01-01', 1, hashtextextended('p' || n, 0)
from generate_series(1, 500) as n;
insert into bronze.shop__inventory (
    product_id, warehouse_code, quantity, counted_at,
    _op, _source_ts, _observed_at, _batch_seq, _row_hash
)
select n, 'A', 5, '2026-01-01', 'U', '2026-01-01', '2026-01-01', 1,
    hashtextextended('i' || n, 0)
from generate_series(1, 500) as n;
