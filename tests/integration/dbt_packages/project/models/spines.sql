{#- name, period, start, end: the type of the start decides that of the result. -#}
{% set spines = [
    ('days', 'day', "cast('2024-02-27' as date)", "cast('2024-03-02' as date)"),
    ('one_day', 'day', "cast('2024-02-29' as date)", "cast('2024-03-01' as date)"),
    ('ten_days', 'day', "cast('2024-01-01' as date)", "cast('2024-01-11' as date)"),
    ('eleven_days', 'day', "cast('2024-01-01' as date)", "cast('2024-01-12' as date)"),
    ('many_days', 'day', "cast('2020-01-01' as date)", "cast('2024-01-01' as date)"),
    ('weeks', 'week', "cast('2024-01-01' as date)", "cast('2024-01-29' as date)"),
    ('odd_weeks', 'week', "cast('2024-01-03' as date)", "cast('2024-01-15' as date)"),
    ('months', 'month', "cast('2023-11-30' as date)", "cast('2024-04-01' as date)"),
    ('years', 'year', "cast('2022-06-01' as date)", "cast('2024-01-01' as date)"),
    (
        'hours', 'hour', "cast('2024-01-01 22:30' as timestamp)",
        "cast('2024-01-02 01:10' as timestamp)"
    ),
] %}

{% for name, period, start, end in spines %}
select
    '{{ name }}' as spine,
    cast(date_{{ period }} as timestamp) as starts_at
from (
    {{ dbt_utils.date_spine(period, start, end) }}
) as spine_{{ loop.index }}
{{ 'union all' if not loop.last }}
{% endfor %}
