-- The stock of the newest day is silver's, each position of it.
with

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
    coalesce(inventory.product_id, stock.product_id) as product_id,
    coalesce(
        inventory.warehouse_code, stock.warehouse_code
    ) as warehouse_code,
    inventory.quantity as quantity_of_silver,
    stock.quantity
from {{ ref('inventory') }} as inventory
full outer join stock
    on
        inventory.product_id = stock.product_id
        and inventory.warehouse_code = stock.warehouse_code
where inventory.quantity is distinct from stock.quantity
