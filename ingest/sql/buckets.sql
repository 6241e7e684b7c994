create or replace temp table buckets as
select
    bucket,
    there.rows_there::bigint as live,
    (here.rows_there, here.hashes)
    is distinct from (there.rows_there, there.hashes) as differs
from {{ here }} as here
full join postgres_query('warehouse', {{ there | literal }}) as there
    using (bucket)
