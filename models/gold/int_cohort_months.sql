{{ config(
    materialized='incremental',
    incremental_strategy='replace_changed',
    meta=replaced(
        key=['currency', 'cohort_month', 'month_start'],
        changed='int_changed_cohorts',
    ),
    indexes=[
        {
            'columns': ['currency', 'cohort_month', 'month_start'],
            'unique': true,
        },
    ],
) }}

with

dates as (

    select
        date_day,
        month_start
    from {{ ref('dim_date') }}

),

categories as (

    select
        order_id,
        customer_id,
        currency,
        cast(date_trunc('month', first_ordered_on) as date) as cohort_month,
        cast(date_trunc('month', ordered_on) as date) as month_start
    from {{ ref('order_categories') }}
    where
        order_number is not null
        {%- if is_incremental() %}
        and ordered_on in (
            select dates.date_day
            from {{ ref('int_changed_cohorts') }} as changed
            inner join dates
                on changed.month_start = dates.month_start
        )
        {%- endif %}

),

orders as (

    select
        order_id,
        total_amount
    from {{ ref('fct_orders') }}

),

final as (

    select
        categories.currency,
        categories.cohort_month,
        categories.month_start,
        cast(
            count(distinct categories.customer_id) as bigint
        ) as customer_count,
        cast(count(*) as bigint) as order_count,
        cast(sum(orders.total_amount) as numeric(18, 2)) as revenue
    from categories
    inner join orders
        on categories.order_id = orders.order_id
    {%- if is_incremental() %}
    where
        (categories.currency, categories.cohort_month, categories.month_start)
        in (
            select
                changed.currency,
                changed.cohort_month,
                changed.month_start
            from {{ ref('int_changed_cohorts') }} as changed
        )
    {%- endif %}
    group by
        categories.currency,
        categories.cohort_month,
        categories.month_start

)

select * from final
