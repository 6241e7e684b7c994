-- Money comes in, or goes back, for what was ordered before.
select
    payments.payment_id,
    payments.paid_at,
    orders.ordered_at
from {{ ref('payments') }} as payments
inner join {{ ref('fct_orders') }} as orders
    on payments.order_id = orders.order_id
where
    payments.paid_at < orders.ordered_at
    and not payments.is_deleted
    and {{ is_untested(key='orders.order_id') }}
