select 'bronze.' || quote_ident(table_name) as log
from information_schema.tables
where
    table_schema = 'bronze'
    and not table_name = any(%(known)s)
order by log
