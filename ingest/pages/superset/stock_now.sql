-- The newest day's stock, with what is known of its products.
select
    stock.stock_date,
    stock.warehouse_code,
    products.product_name,
    products.category,
    products.supplier_name,
    stock.quantity,
    stock.reorder_level,
    stock.is_out_of_stock,
    stock.is_to_be_reordered
from serving.fct_inventory_daily as stock
inner join serving.dim_product as products
    on stock.product_key = products.product_key
where
    stock.stock_date = (
        select max(newest.stock_date)
        from serving.fct_inventory_daily as newest
    )
