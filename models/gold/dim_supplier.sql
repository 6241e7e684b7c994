{{ config(
    materialized='table',
    indexes=[
        {'columns': ['supplier_key'], 'unique': true},
        {'columns': ['supplier_id'], 'unique': true},
    ],
) }}

with

suppliers as (

    select
        supplier_id,
        name,
        country,
        rating,
        contact_email,
        created_at,
        is_deleted
    from {{ ref('suppliers') }}

),

products_by_supplier as (

    select
        supplier_id,
        cast(count(*) as integer) as product_count,
        cast(
            count(case when is_active then 1 end) as integer
        ) as on_sale_count
    from {{ ref('products') }}
    where not is_deleted
    group by supplier_id

),

final as (

    select
        cast(
            {{ dbt_utils.generate_surrogate_key(['suppliers.supplier_id']) }}
            as varchar(32)
        ) as supplier_key,
        suppliers.supplier_id,
        suppliers.name as supplier_name,
        suppliers.country,
        suppliers.rating,
        suppliers.contact_email is not null as has_contact,
        cast(suppliers.created_at as date) as supplier_since,
        coalesce(products_by_supplier.product_count, 0) as product_count,
        coalesce(products_by_supplier.on_sale_count, 0) as on_sale_count,
        suppliers.is_deleted
    from suppliers
    left join products_by_supplier
        on suppliers.supplier_id = products_by_supplier.supplier_id

)

select * from final
