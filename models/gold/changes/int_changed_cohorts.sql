with

states as (

    select
        order_id,
        customer_id,
        currency,
        ordered_at,
        month_start
    from {{ ref('int_changed_order_states') }}

),

customers as (

    select distinct
        customer_id,
        currency
    from states

),

-- The orders of these customers that are as they were.
orders as (

    select
        fct_orders.customer_id,
        fct_orders.currency,
        fct_orders.ordered_at,
        cast(
            date_trunc('month', fct_orders.ordered_at) as date
        ) as month_start
    from {{ ref('fct_orders') }} as fct_orders
    inner join customers
        on
            fct_orders.customer_id = customers.customer_id
            and fct_orders.currency = customers.currency
    where
        not fct_orders.is_cancelled
        and not exists (
            select 1
            from states
            where states.order_id = fct_orders.order_id
        )

),

firsts as (

    select
        customer_id,
        currency,
        min(ordered_at) as ordered_at,
        min(month_start) as month_start
    from orders
    group by
        customer_id,
        currency

),

placed as (

    select
        states.customer_id,
        states.currency,
        states.month_start,
        firsts.month_start as first_month,
        coalesce(firsts.ordered_at < states.ordered_at, false) as is_later
    from states
    left join firsts
        on
            states.customer_id = firsts.customer_id
            and states.currency = firsts.currency

),

-- An order that may be, or have been, the first decides of all that follow.
movers as (

    select distinct
        customer_id,
        currency
    from placed
    where not is_later

),

months as (

    select
        customer_id,
        currency,
        month_start
    from states

    union distinct

    select
        customer_id,
        currency,
        month_start
    from orders

),

cells as (

    select
        currency,
        first_month as cohort_month,
        month_start
    from placed
    where is_later

    union distinct

    select
        cohorts.currency,
        cohorts.month_start as cohort_month,
        months.month_start
    from movers
    inner join months as cohorts
        on
            movers.customer_id = cohorts.customer_id
            and movers.currency = cohorts.currency
    inner join months
        on
            cohorts.customer_id = months.customer_id
            and cohorts.currency = months.currency
            and cohorts.month_start <= months.month_start

),

final as (

    select
        currency,
        cohort_month,
        month_start
    from cells

)

select * from final
