-- name: state
-- Of a table's log up to a released batch, and of the SQL that makes its sums.
select
    concat_ws(
        ' ',
        audit.state_of(array[cast(%(log)s as regclass)::oid]),
        audit.newest_rows(%(table_id)s, %(through)s),
        %(made_by)s::text
    );

-- name: is_summed
select count(*) > 0
from audit.key_sums
where table_id = %(table_id)s and state = %(state)s;
