{{ config(
    materialized='table',
    indexes=[{'columns': ['date_day'], 'unique': true}],
) }}
{%- set month_names = [
    'January', 'February', 'March', 'April', 'May', 'June', 'July',
    'August', 'September', 'October', 'November', 'December',
] %}
{%- set weekday_names = [
    'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday',
    'Sunday',
] %}

with

spine as (

    {{ dbt_utils.date_spine(
        datepart='day',
        start_date="cast('2020-01-01' as date)",
        end_date="cast('2036-01-01' as date)",
    ) }}

),

days as (

    select cast(date_day as date) as date_day
    from spine

),

numbered as (

    select
        date_day,
        cast(extract(year from date_day) as integer) as year_number,
        cast(extract(quarter from date_day) as integer) as quarter_number,
        cast(extract(month from date_day) as integer) as month_number,
        cast(extract(day from date_day) as integer) as day_of_month,
        {{ iso_date_part(part='year', date='date_day') }} as iso_year,
        {{ iso_date_part(part='week', date='date_day') }} as iso_week,
        {{ iso_date_part(part='weekday', date='date_day') }} as iso_weekday,
        cast(date_trunc('month', date_day) as date) as month_start,
        cast(date_trunc('quarter', date_day) as date) as quarter_start
    from days

),

final as (

    select
        date_day,
        year_number,
        quarter_number,
        quarter_start,
        month_number,
        month_start,
        cast(
            case month_number
                {%- for name in month_names %}
                when {{ loop.index }} then '{{ name }}'
                {%- endfor %}
            end as varchar(9)
        ) as month_name,
        day_of_month,
        iso_year,
        iso_week,
        iso_weekday,
        cast(
            case iso_weekday
                {%- for name in weekday_names %}
                when {{ loop.index }} then '{{ name }}'
                {%- endfor %}
            end as varchar(9)
        ) as weekday_name,
        iso_weekday >= 6 as is_weekend
    from numbered

)

select * from final
