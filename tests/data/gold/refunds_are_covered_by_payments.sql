-- Nobody gets back more than was paid for the order.
select
    order_id,
    paid_amount,
    refunded_amount
from {{ ref('fct_orders') }}
where
    refunded_amount > paid_amount
    and {{ is_untested(key='order_id') }}
