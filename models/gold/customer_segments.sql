{{ config(materialized='view') }}

with

customers as (

    select
        customer_id,
        currency,
        last_ordered_on,
        order_count,
        historic_value
    from {{ ref('customer_lifetime_value') }}

),

-- The shop's today is the last day on which it sold anything.
today as (

    select max(last_ordered_on) as date_day
    from customers

),

scored as (

    select
        customers.customer_id,
        customers.currency,
        customers.last_ordered_on,
        customers.order_count,
        customers.historic_value,
        {{ dbt.datediff('customers.last_ordered_on', 'today.date_day', 'day') }}
            as days_since,
        case
            when customers.order_count >= 10 then 5
            when customers.order_count >= 5 then 4
            when customers.order_count >= 3 then 3
            when customers.order_count >= 2 then 2
            else 1
        end as frequency_score,
        case
            when customers.historic_value >= 5000 then 5
            when customers.historic_value >= 2000 then 4
            when customers.historic_value >= 1000 then 3
            when customers.historic_value >= 250 then 2
            else 1
        end as monetary_score
    from customers
    cross join today

),

ranked as (

    select
        *,
        case
            when days_since <= 14 then 5
            when days_since <= 30 then 4
            when days_since <= 60 then 3
            when days_since <= {{ days_until_lost() }} then 2
            else 1
        end as recency_score
    from scored

),

final as (

    select
        customer_id,
        currency,
        last_ordered_on,
        order_count,
        historic_value,
        cast(recency_score as integer) as recency_score,
        cast(frequency_score as integer) as frequency_score,
        cast(monetary_score as integer) as monetary_score,
        cast(
            case
                when recency_score = 1 and frequency_score >= 3
                    then 'lost regular'
                when recency_score = 1 then 'lost'
                when recency_score <= 3 and frequency_score >= 3 then 'at risk'
                when frequency_score >= 4 and monetary_score >= 4
                    then 'champion'
                when frequency_score >= 3 then 'loyal'
                when recency_score >= 4 and order_count = 1 then 'new'
                when recency_score >= 4 then 'promising'
                else 'needs attention'
            end as varchar(20)
        ) as segment
    from ranked

)

select * from final
