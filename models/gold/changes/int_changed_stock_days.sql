{{ config(materialized='view') }}

with

snapshots as (

    select
        _batch_seq,
        cast(max(counted_at) as date) as stock_date
    from {{ ref('stg_shop__inventory') }}
    where _batch_seq > {{ built_through(table='shop.inventory') }}
    group by _batch_seq

),

final as (

    select distinct stock_date
    from snapshots

)

select * from final
