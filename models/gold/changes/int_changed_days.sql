with

states as (

    select
        order_id,
        customer_id,
        currency,
        ordered_at,
        ordered_on
    from {{ ref('int_changed_order_states') }}

),

-- The orders that stand beside the changed ones, as they were and as they are.
orders as (

    select
        fct_orders.order_id,
        fct_orders.customer_id,
        fct_orders.currency,
        fct_orders.ordered_at,
        fct_orders.ordered_on
    from {{ ref('fct_orders') }} as fct_orders
    where
        not fct_orders.is_cancelled
        and not exists (
            select 1
            from states
            where states.order_id = fct_orders.order_id
        )

),

compared as (

    select
        states.order_id,
        states.ordered_at,
        orders.ordered_on as other_on,
        orders.ordered_at < states.ordered_at
        or (
            orders.ordered_at = states.ordered_at
            and orders.order_id < states.order_id
        ) as is_earlier
    from states
    inner join orders
        on
            states.customer_id = orders.customer_id
            and states.currency = orders.currency

),

neighbours as (

    select
        order_id,
        ordered_at,
        max(case when is_earlier then other_on end) as previous_on,
        min(case when not is_earlier then other_on end) as next_on
    from compared
    group by
        order_id,
        ordered_at

),

last_unchanged as (

    select max(fct_orders.ordered_on) as ordered_on
    from {{ ref('fct_orders') }} as fct_orders
    where
        not fct_orders.is_cancelled
        and not exists (
            select 1
            from states
            where states.order_id = fct_orders.order_id
        )

),

last_changed as (

    select max(ordered_on) as ordered_on
    from states

),

-- Days that the calendar of the shop has gained or lost at its end.
days_at_the_end as (

    select dates.date_day
    from {{ ref('dim_date') }} as dates
    cross join last_changed
    where
        dates.date_day <= last_changed.ordered_on
        and dates.date_day > (
            select
                coalesce(
                    max(last_unchanged.ordered_on), cast('2000-01-01' as date)
                )
            from last_unchanged
        )

),

days as (

    select ordered_on as date_day
    from states

    union distinct

    -- Where an order ends a customer's silence, or is the last before one.
    select
        cast(
            {{ dbt.dateadd('day', days_until_lost(), 'ordered_on') }} as date
        ) as date_day
    from states

    union distinct

    select
        cast(
            {{ dbt.dateadd('day', days_until_lost(), 'previous_on') }} as date
        ) as date_day
    from neighbours
    where previous_on is not null

    union distinct

    -- Where another order becomes a customer's first, or no longer is.
    select next_on as date_day
    from neighbours
    where
        previous_on is null
        and next_on is not null

    union distinct

    select date_day
    from days_at_the_end

),

final as (

    select
        date_day,
        cast(date_trunc('month', date_day) as date) as month_start
    from days

)

select * from final
