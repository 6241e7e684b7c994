{{ config(enabled=var('backwards')) }}

{{ dbt_utils.date_spine(
    'day', "cast('2024-03-01' as date)", "cast('2024-03-01' as date)"
) }}
