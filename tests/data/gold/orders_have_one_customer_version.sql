-- Each order's customer has exactly one version at the time of the order, and
-- it is the one the order names.
with

fitting as (

    select
        orders.order_id,
        count(customers.customer_key) as version_count,
        max(
            case
                when customers.customer_key = orders.customer_key then 1 else 0
            end
        ) as is_named
    from {{ ref('fct_orders') }} as orders
    left join {{ ref('dim_customer') }} as customers
        on
            orders.customer_id = customers.customer_id
            and orders.ordered_at < coalesce(
                customers.valid_to, cast('9999-12-31' as date)
            )
            and (
                orders.ordered_at >= customers.valid_from
                or customers.version = 1
            )
    where {{ is_untested(key='orders.order_id') }}
    group by orders.order_id

)

select
    order_id,
    version_count,
    is_named
from fitting
where
    version_count <> 1
    or is_named <> 1
