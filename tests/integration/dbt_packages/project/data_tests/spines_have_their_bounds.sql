{#- The start counts, the end doesn't; an end inside a period adds that period. -#}
{% set spines = {
    'days': ['2024-02-27', '2024-02-28', '2024-02-29', '2024-03-01'],
    'one_day': ['2024-02-29'],
    'weeks': ['2024-01-01', '2024-01-08', '2024-01-15', '2024-01-22'],
    'odd_weeks': ['2024-01-03', '2024-01-10'],
    'months': ['2023-11-30', '2023-12-30', '2024-01-30', '2024-02-29', '2024-03-30'],
    'years': ['2022-06-01', '2023-06-01'],
    'hours': ['2024-01-01 22:30', '2024-01-01 23:30', '2024-01-02 00:30'],
} %}

with expected as (
    {% for name, starts in spines.items() %}
    {% set last = loop.last %}
    {% for start in starts %}
    select
        '{{ name }}' as spine,
        cast('{{ start }}' as timestamp) as starts_at
    {{ 'union all' if not (last and loop.last) }}
    {% endfor %}
    {% endfor %}
),

actual as (
    select * from {{ ref('spines') }}
    where spine in ('{{ spines | join("', '") }}')
)

(select * from expected except all select * from actual)
union all
(select * from actual except all select * from expected)
