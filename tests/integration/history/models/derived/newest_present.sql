{{ config(
    incremental_strategy='merge',
    unique_key=['case_id', 'key_id'],
    post_hook=["delete from {{ this }} where is_deleted"],
) }}

{{ scd1(
    source=ref('things'),
    key=['case_id', 'key_id'],
    columns=['case_id', 'key_id', 'tracked', 'untracked'],
) }}
