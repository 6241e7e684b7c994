-- name: tables
-- Virtual tables need their module, and shadow tables belong to one.
select
    l.name,
    l.type = 'view' as is_view,
    (l.type = 'table' and l.wr = 1) as has_no_rowid
from pragma_table_list as l
where
    l.schema = 'main'
    and l.type in ('table', 'view')
    and l.name not like 'sqlite\_%' escape '\';

-- name: columns
select
    l.name as table_name,
    c.name as column_name,
    c.type as declared,
    c."notnull" as is_not_null,
    c.pk,
    c.hidden,
    (
        select count(*)
        from pragma_table_info(l.name) as k
        where k.pk > 0
    ) as parts
from pragma_table_list as l
cross join pragma_table_xinfo(l.name) as c
where
    l.schema = 'main'
    and l.type in ('table', 'view')
    and c.hidden <> 1
order by l.name, c.cid;

-- name: keys
-- A part of an index that is an expression has no name.
select
    l.name as table_name,
    'primary key' as key_name,
    1 as is_primary,
    c.name as part,
    c.pk as place
from pragma_table_list as l
cross join pragma_table_info(l.name) as c
where
    l.schema = 'main'
    and l.type = 'table'
    and c.pk > 0

union all

select
    l.name,
    i.name,
    0,
    p.name,
    p.seqno
from pragma_table_list as l
cross join pragma_index_list(l.name) as i
cross join pragma_index_info(i.name) as p
where
    l.schema = 'main'
    and l.type = 'table'
    and i."unique" = 1
    and i.partial = 0
    and i.origin <> 'pk'
order by table_name, key_name, place;

-- name: foreign_keys
-- One that names no columns refers to the primary key.
select
    l.name as table_name,
    f.id as number,
    o.name as other,
    f."from" as own,
    coalesce(f."to", k.name) as theirs
from pragma_table_list as l
cross join pragma_foreign_key_list(l.name) as f
inner join pragma_table_list as o
    on lower(f."table") = lower(o.name) and o.schema = 'main'
left join pragma_table_info(o.name) as k on f.seq + 1 = k.pk
where
    l.schema = 'main'
    and l.type = 'table'
order by l.name, f.id, f.seq;
