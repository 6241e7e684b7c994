with counted as (
    select
        spine,
        count(*) as periods,
        count(distinct starts_at) as distinct_periods,
        min(starts_at) as first,
        max(starts_at) as last
    from {{ ref('spines') }}
    group by spine
),

expected as (
    select 'ten_days' as spine, 10 as periods, '2024-01-01' as first, '2024-01-10' as last
    union all
    select 'eleven_days', 11, '2024-01-01', '2024-01-11'
    union all
    select 'many_days', 1461, '2020-01-01', '2023-12-31'
)

select expected.*
from expected
left join counted
    on expected.spine = counted.spine
    and expected.periods = counted.periods
    and expected.periods = counted.distinct_periods
    and cast(expected.first as timestamp) = counted.first
    and cast(expected.last as timestamp) = counted.last
where counted.spine is null
