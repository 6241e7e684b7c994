-- A checksum of relations: their files, the number of changes of their rows,
-- their rights and definitions. A statement that changed any of them leaves
-- another one; it may be counted some seconds after the statement's end.
create or replace function audit.state_of(relations oid[])
returns text
language sql stable
as $$
    select
        coalesce(
            md5(string_agg(
                concat_ws(
                    ' ',
                    pg_class.oid,
                    pg_class.relfilenode,
                    pg_class.xmin,
                    pg_stat_get_tuples_inserted(pg_class.oid),
                    pg_stat_get_tuples_updated(pg_class.oid),
                    pg_stat_get_tuples_deleted(pg_class.oid),
                    pg_rewrite.xmin
                ),
                ',' order by pg_class.oid
            )),
            ''
        )
    from pg_class
    left join pg_rewrite
        on
            pg_class.oid = pg_rewrite.ev_class
            and pg_rewrite.rulename = '_RETURN'
    where pg_class.oid = any(relations)
$$;
