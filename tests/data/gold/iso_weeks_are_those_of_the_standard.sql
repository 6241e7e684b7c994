-- Days around New Year, where ISO weeks and calendar years part.
with

expected as (

    select
        cast('2020-12-31' as date) as date_day,
        2020 as iso_year,
        53 as iso_week,
        4 as iso_weekday

    union all

    select
        cast('2021-01-03' as date) as date_day,
        2020 as iso_year,
        53 as iso_week,
        7 as iso_weekday

    union all

    select
        cast('2021-01-04' as date) as date_day,
        2021 as iso_year,
        1 as iso_week,
        1 as iso_weekday

    union all

    select
        cast('2024-12-30' as date) as date_day,
        2025 as iso_year,
        1 as iso_week,
        1 as iso_weekday

    union all

    select
        cast('2026-02-28' as date) as date_day,
        2026 as iso_year,
        9 as iso_week,
        6 as iso_weekday

)

select
    expected.date_day,
    dates.iso_year,
    dates.iso_week,
    dates.iso_weekday
from expected
left join {{ ref('dim_date') }} as dates
    on expected.date_day = dates.date_day
where
    expected.iso_year is distinct from dates.iso_year
    or expected.iso_week is distinct from dates.iso_week
    or expected.iso_weekday is distinct from dates.iso_weekday
    or dates.is_weekend is distinct from (expected.iso_weekday >= 6)
