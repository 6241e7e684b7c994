create or replace temp table buckets as
select
    bucket,
    there.rows_there::bigint as live,
    (here.rows_there, here.total, here.squares)
    is distinct from (there.rows_there, there.total, there.squares) as differs
from {{ here }} as here
full join postgres_query('warehouse', {{ there | literal }}) as there
    using (bucket)
