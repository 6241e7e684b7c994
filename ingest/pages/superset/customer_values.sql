select
    customers.customer_id,
    customers.currency,
    segments.segment,
    customers.first_ordered_on,
    customers.last_ordered_on,
    customers.order_count,
    customers.historic_value,
    customers.projected_value
from serving.customer_lifetime_value as customers
inner join serving.customer_segments as segments
    on
        customers.customer_id = segments.customer_id
        and customers.currency = segments.currency
