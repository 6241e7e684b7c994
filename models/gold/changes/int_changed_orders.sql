with

orders_of_customers as (

    select orders.order_id
    from {{ ref('int_changed_customers') }} as changed_customers
    inner join {{ ref('orders') }} as orders
        on changed_customers.customer_id = orders.customer_id

),

final as (

    select order_id
    from {{ ref('int_changed_order_states') }}

    union distinct

    select order_id
    from orders_of_customers

)

select * from final
