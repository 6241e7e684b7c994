select
    sales.month_start,
    sales.currency,
    products.product_name,
    products.category,
    products.supplier_name,
    sales.item_count,
    sales.returned_item_count,
    sales.net_amount,
    sales.margin_amount
from serving.agg_product_performance as sales
inner join serving.dim_product as products
    on sales.product_key = products.product_key
