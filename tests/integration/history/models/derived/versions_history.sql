{{ config(
    incremental_strategy='replace_versions',
    unique_key=['case_id', 'key_id'],
) }}

{{ scd2(
    source=ref('things'),
    key=['case_id', 'key_id'],
    columns=['case_id', 'key_id', 'tracked', 'untracked'],
    tracked=['tracked'],
) }}
