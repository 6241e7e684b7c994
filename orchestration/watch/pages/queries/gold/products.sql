-- The ten products with the largest margin, in the largest book.
with

performance as (

    select * from {gold}.agg_product_performance

),

book as (

    select currency from performance
    group by currency
    order by sum(net_amount) desc
    limit 1

)

select
    performance.currency,
    product.product_name as product,
    product.category,
    sum(performance.margin_amount) as margin,
    sum(performance.net_amount) as revenue
from performance
inner join book on performance.currency = book.currency
inner join {gold}.dim_product as product
    on performance.product_id = product.product_id
group by
    performance.currency, performance.product_id, product.product_name,
    product.category
order by margin desc, performance.product_id asc
limit 10
