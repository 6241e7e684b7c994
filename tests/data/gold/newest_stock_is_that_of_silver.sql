-- The stock of the newest day is silver's, each position of it. A snapshot
-- without a row has no day: then there is nothing to compare.
with

current_stock as (

    select
        product_id,
        warehouse_code,
        quantity
    from {{ ref('inventory') }}

),

size as (

    select count(*) as positions
    from current_stock

),

newest as (

    select max(stock_date) as stock_date
    from {{ ref('fct_inventory_daily') }}

),

stock as (

    select
        fct_inventory_daily.product_id,
        fct_inventory_daily.warehouse_code,
        fct_inventory_daily.quantity
    from {{ ref('fct_inventory_daily') }} as fct_inventory_daily
    inner join newest
        on fct_inventory_daily.stock_date = newest.stock_date

)

select
    coalesce(current_stock.product_id, stock.product_id) as product_id,
    coalesce(
        current_stock.warehouse_code, stock.warehouse_code
    ) as warehouse_code,
    current_stock.quantity as quantity_of_silver,
    stock.quantity
from current_stock
full outer join stock
    on
        current_stock.product_id = stock.product_id
        and current_stock.warehouse_code = stock.warehouse_code
cross join size
where
    current_stock.quantity is distinct from stock.quantity
    and size.positions > 0
