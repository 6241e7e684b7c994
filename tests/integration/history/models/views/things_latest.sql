{{ snapshot_input(
    source=ref('things'),
    key=['case_id', 'key_id'],
    columns=['case_id', 'key_id', 'tracked', 'untracked'],
) }}
