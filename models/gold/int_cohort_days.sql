{{ config(materialized='table') }}
{%- set silence = days_until_lost() | int %}

with

-- Cancelled orders have no number.
orders as (

    select
        currency,
        total_amount,
        ordered_on,
        previous_ordered_on,
        order_number,
        lost_on,
        cast(date_trunc('month', first_ordered_on) as date) as cohort_month,
        date_trunc('month', ordered_on) as month_start,
        date_trunc(
            'month', {{ dbt.dateadd('day', silence, 'ordered_on') }}
        ) as silent_month,
        date_trunc(
            'month', {{ dbt.dateadd('day', silence, 'previous_ordered_on') }}
        ) as previous_silent_month
    from {{ ref('order_categories') }}
    where order_number is not null

),

-- A customer counts with their first order of a day or month; so days add up.
final as (

    select
        ordered_on,
        currency,
        cohort_month,
        cast(count(*) as bigint) as order_count,
        cast(sum(total_amount) as numeric(18, 2)) as revenue,
        cast(
            count(case when order_number = 1 then 1 end) as bigint
        ) as new_customer_count,
        cast(
            count(
                case
                    when previous_ordered_on is distinct from ordered_on then 1
                end
            ) as bigint
        ) as customer_count,
        cast(
            count(
                case
                    when order_number = 1 or previous_ordered_on < month_start
                        then 1
                end
            ) as bigint
        ) as first_of_month_count,
        cast(
            count(
                case
                    when
                        order_number = 1
                        or previous_silent_month < silent_month
                        then 1
                end
            ) as bigint
        ) as first_silent_count,
        cast(count(lost_on) as bigint) as lost_customer_count
    from orders
    group by
        ordered_on,
        currency,
        cohort_month

)

select * from final
