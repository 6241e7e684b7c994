-- name: tables
-- A partition is read through its table.
select
    c.relname,
    c.relkind in ('v', 'm'),
    case
        when c.relkind not in ('v', 'm') then greatest(c.reltuples, 0)::bigint
    end,
    coalesce(obj_description(c.oid, 'pg_class'), '')
from pg_class as c
where
    c.relnamespace = to_regnamespace(%(schema)s)
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and not c.relispartition
    and has_any_column_privilege(c.oid, 'select');

-- name: columns
-- Of a domain it is the type that it is made of.
with recursive

types as (
    select
        oid,
        oid as base,
        -1 as typmod
    from pg_type
    where typtype <> 'd'

    union all

    select
        d.oid,
        t.base,
        case when d.typtypmod = -1 then t.typmod else d.typtypmod end
    from pg_type as d
    inner join types as t on d.typbasetype = t.oid
    where d.typtype = 'd'
),

labels as (
    select
        enumtypid,
        string_agg(
            '''' || replace(replace(enumlabel, '\', '\\'), '''', '''''')
            || '''', ',' order by enumsortorder
        ) as list
    from pg_enum
    group by enumtypid
)

select
    c.relname as table_name,
    a.attname as column_name,
    case
        when b.typelem <> 0 and b.typcategory = 'A' then 'array'
        when b.typtype = 'c' then 'record'
        when b.typtype = 'e' then 'enum'
        else b.typname
    end as kind,
    format_type(a.atttypid, a.atttypmod)
    || coalesce('(' || l.list || ')', '') as declared,
    not a.attnotnull as is_nullable,
    case when a.atttypmod = -1 then t.typmod else a.atttypmod end as typmod,
    a.attidentity <> ''
    or coalesce(
        pg_get_expr(d.adbin, d.adrelid) like 'nextval(%', false
    ) as is_counted,
    a.attgenerated <> '' as is_computed,
    coalesce(col_description(c.oid, a.attnum), '') as comment
from pg_class as c
inner join pg_attribute as a on c.oid = a.attrelid
inner join types as t on a.atttypid = t.oid
inner join pg_type as b on t.base = b.oid
left join labels as l on t.base = l.enumtypid
left join pg_attrdef as d on a.attrelid = d.adrelid and a.attnum = d.adnum
where
    c.relnamespace = to_regnamespace(%(schema)s)
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and (%(table)s = '' or c.relname = %(table)s)
    and a.attnum > 0
    and not a.attisdropped
    and has_column_privilege(c.oid, a.attnum, 'select')
order by c.relname, a.attnum;

-- name: keys
-- A part of an index that is an expression has no column's name. The rows of
-- tables that inherit are among those of their parent, whose keys are of its
-- own rows only.
select
    c.relname,
    n.relname,
    i.indisprimary,
    a.attname
from pg_index as i
inner join pg_class as c on i.indrelid = c.oid
inner join pg_class as n on i.indexrelid = n.oid
cross join lateral unnest(i.indkey) with ordinality as k (attnum, place)
left join pg_attribute as a on c.oid = a.attrelid and k.attnum = a.attnum
where
    c.relnamespace = to_regnamespace(%(schema)s)
    and i.indisunique
    and i.indisvalid
    and i.indpred is null
    and k.place <= i.indnkeyatts
    and (
        c.relkind <> 'r'
        or c.oid not in (select inhparent from pg_inherits)
    )
order by c.relname, n.relname, k.place;

-- name: foreign_keys
select
    c.relname,
    f.conname,
    o.relname,
    a.attname,
    b.attname
from pg_constraint as f
inner join pg_class as c on f.conrelid = c.oid
inner join pg_class as o on f.confrelid = o.oid
cross join
    lateral unnest(f.conkey, f.confkey) with ordinality as k (own, theirs, part)
inner join pg_attribute as a on c.oid = a.attrelid and k.own = a.attnum
inner join pg_attribute as b on o.oid = b.attrelid and k.theirs = b.attnum
where
    f.contype = 'f'
    and c.relnamespace = to_regnamespace(%(schema)s)
    and o.relnamespace = c.relnamespace
order by c.relname, f.conname, k.part;
