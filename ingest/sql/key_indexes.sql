-- The indexes of a log on its key, and whether they hold hashes of values.
select
    indexrelid::regclass::text,
    indexprs is not null
from pg_index
inner join pg_class on pg_class.oid = indexrelid
inner join pg_am on pg_am.oid = relam and amname = 'btree'
where indrelid = {{ log | literal }}::regclass
