-- Of the tables that this transaction has read, those whose file is no longer
-- the one that its snapshot knows.
select string_agg(c.oid::regclass::text, ', ') as names
from pg_locks as l
inner join pg_class as c on l.relation = c.oid
inner join pg_database as d on l.database = d.oid
where
    l.pid = pg_backend_pid()
    and l.locktype = 'relation'
    and d.datname = current_database()
    and c.relkind in ('r', 'm')
    and c.relfilenode <> 0
    and c.relfilenode <> pg_relation_filenode(c.oid)
