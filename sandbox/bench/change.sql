-- Change so many orders, from all that there are.
update shop.orders
set
    shipping_fee = shipping_fee + 0.01,
    updated_at = '2026-03-01 12:00:00' + interval {turn} hour
where order_id % {step} = 1 and order_id <= {step} * {orders}
