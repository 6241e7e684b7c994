-- The table as the source would show it after so many batches, for dbt's snapshot.
drop table if exists bench.present;
create table bench.present as
select distinct on (customer_id)
    *,
    _op = 'D' as is_deleted
from bronze.bench__customers
where _batch_seq <= {batches}
order by customer_id, _source_ts desc
