-- What the customer's version adds: revenue by the segment a customer was in
-- when ordering, beside the revenue of those who are in it today.
with

orders as (

    select
        customer_key,
        customer_id,
        currency,
        total_amount
    from {{ ref('fct_orders') }}
    where not is_cancelled

),

customers as (

    select
        customer_key,
        customer_id,
        is_current,
        coalesce(segment, 'not in the CRM') as segment
    from {{ ref('dim_customer') }}

),

as_it_was as (

    select
        customers.segment,
        orders.currency,
        sum(orders.total_amount) as total_amount
    from orders
    inner join customers
        on orders.customer_key = customers.customer_key
    group by
        customers.segment,
        orders.currency

),

as_it_is as (

    select
        customers.segment,
        orders.currency,
        sum(orders.total_amount) as total_amount
    from orders
    inner join customers
        on
            orders.customer_id = customers.customer_id
            and customers.is_current
    group by
        customers.segment,
        orders.currency

)

select
    coalesce(as_it_was.segment, as_it_is.segment) as segment,
    coalesce(as_it_was.currency, as_it_is.currency) as currency,
    coalesce(as_it_was.total_amount, 0) as total_in_segment_then,
    coalesce(as_it_is.total_amount, 0) as total_in_segment_now
from as_it_was
full outer join as_it_is
    on
        as_it_was.segment = as_it_is.segment
        and as_it_was.currency = as_it_is.currency
order by
    segment,
    currency
