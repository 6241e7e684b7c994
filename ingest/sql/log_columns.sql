-- The columns of a log, with their types and whether they are noted as retired.
select
    columns.column_name,
    format_type(attribute.atttypid, attribute.atttypmod),
    columns.is_nullable = 'YES',
    coalesce(
        col_description(attribute.attrelid, attribute.attnum), ''
    ) = {{ retired | literal }}
from information_schema.columns as columns
inner join pg_attribute as attribute
    on
        attribute.attname = columns.column_name
        and attribute.attrelid = {{ log | literal }}::regclass
where
    columns.table_schema = 'bronze'
    and columns.table_name = {{ name | literal }}
