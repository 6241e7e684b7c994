{{ as_of(
    history=ref('versions_history'),
    at="'2026-01-01 00:00:00.000003'",
    columns=['case_id', 'key_id', 'tracked', 'valid_from', 'is_deleted'],
) }}
