{{ snapshot_history(
    snapshot=ref('things_snapshot'),
    key=['case_id', 'key_id'],
    columns=['case_id', 'key_id', 'tracked', 'untracked'],
) }}
