{{ config(
    materialized='table',
    indexes=[
        {'columns': ['product_key'], 'unique': true},
        {'columns': ['product_id'], 'unique': true},
    ],
) }}

with

products as (

    select
        product_id,
        supplier_id,
        sku,
        name,
        category,
        price,
        cost,
        is_active,
        is_deleted
    from {{ ref('products') }}

),

suppliers as (

    select
        supplier_id,
        name,
        country,
        rating
    from {{ ref('suppliers') }}

),

final as (

    select
        cast(
            {{ dbt_utils.generate_surrogate_key(['products.product_id']) }}
            as varchar(32)
        ) as product_key,
        products.product_id,
        products.sku,
        products.name as product_name,
        products.category,
        products.price,
        products.cost,
        products.is_active and not products.is_deleted as is_on_sale,
        products.is_deleted,
        products.supplier_id,
        suppliers.name as supplier_name,
        suppliers.country as supplier_country,
        suppliers.rating as supplier_rating
    from products
    left join suppliers
        on products.supplier_id = suppliers.supplier_id

)

select * from final
