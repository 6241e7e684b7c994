-- The columns of a log, with their types and whether they are noted as retired; no row
-- where there is no log.
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
        and attribute.attrelid
        = format('%I.%I', columns.table_schema, columns.table_name)::regclass
where
    columns.table_schema = 'bronze'
    and columns.table_name = {{ name | literal }}
