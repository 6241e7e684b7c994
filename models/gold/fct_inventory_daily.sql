{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='stock_date',
    full_refresh=false,
    indexes=[
        {
            'columns': ['stock_date', 'product_id', 'warehouse_code'],
            'unique': true,
        },
    ],
) }}

with

snapshots as (

    select
        _batch_seq,
        cast(max(counted_at) as date) as stock_date
    from {{ ref('stg_shop__inventory') }}
    group by _batch_seq

),

-- The last snapshot of a day is the day's.
last_snapshots as (

    select
        stock_date,
        max(_batch_seq) as _batch_seq
    from snapshots
    group by stock_date

),

stock as (

    select
        log.product_id,
        log.warehouse_code,
        log.quantity,
        log.reorder_level,
        log.counted_at,
        last_snapshots.stock_date
    from {{ ref('stg_shop__inventory') }} as log
    inner join last_snapshots
        on log._batch_seq = last_snapshots._batch_seq

),

products as (

    select
        product_id,
        product_key
    from {{ ref('dim_product') }}

),

final as (

    select
        stock.stock_date,
        stock.product_id,
        products.product_key,
        stock.warehouse_code,
        cast(stock.quantity as integer) as quantity,
        cast(stock.reorder_level as integer) as reorder_level,
        stock.counted_at,
        coalesce(
            stock.quantity <= stock.reorder_level, false
        ) as is_to_be_reordered,
        stock.quantity = 0 as is_out_of_stock
    from stock
    left join products
        on stock.product_id = products.product_id

)

select * from final
