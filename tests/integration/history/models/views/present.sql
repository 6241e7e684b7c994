{{ current_state(
    history=ref('changes_history'),
    columns=['case_id', 'key_id', 'tracked', 'untracked'],
    delete_action='remove',
) }}
