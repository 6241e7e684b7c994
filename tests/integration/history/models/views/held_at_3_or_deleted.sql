{{ as_of(
    history=ref('versions_history'),
    at="timestamp '2026-01-01 00:00:00.000003'",
    include_deleted=true,
) }}
