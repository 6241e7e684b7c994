-- name: tables
select
    table_name,
    table_type = 'VIEW',
    table_rows,
    table_comment
from information_schema.tables
where
    table_schema = %(schema)s
    and table_type in ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW');

-- name: columns
-- MySQL 8 has column_type as bytes.
select
    table_name,
    column_name,
    lower(data_type),
    cast(column_type as char),
    is_nullable = 'YES',
    character_maximum_length,
    numeric_precision,
    numeric_scale,
    coalesce(extra, ''),
    coalesce(column_comment, '')
from information_schema.columns
where table_schema = %(schema)s
order by table_name, ordinal_position;

-- name: keys
-- A part of an index that is an expression has no column name.
select
    table_name,
    index_name,
    index_name = 'PRIMARY',
    column_name
from information_schema.statistics
where table_schema = %(schema)s and non_unique = 0
order by table_name, index_name, seq_in_index;

-- name: foreign_keys
select
    table_name,
    constraint_name,
    referenced_table_name,
    column_name,
    referenced_column_name
from information_schema.key_column_usage
where
    table_schema = %(schema)s
    and referenced_table_schema = %(schema)s
order by table_name, constraint_name, ordinal_position;

-- name: json
-- MariaDB's JSON is a LONGTEXT with this check on the column.
select
    table_name,
    constraint_name
from information_schema.check_constraints
where
    constraint_schema = %(schema)s
    and level = 'Column'
    and check_clause = concat(
        'json_valid(`', replace(constraint_name, '`', '``'), '`)'
    );
