-- Who has no account yet can't order. Gold's order has the customer of silver.
select
    orders.order_id,
    orders.ordered_at,
    customers.created_at
from {{ ref('fct_orders') }} as orders
inner join {{ ref('customers') }} as customers
    on orders.customer_id = customers.customer_id
where
    orders.ordered_at < customers.created_at
    and {{ is_untested(key='orders.order_id') }}
