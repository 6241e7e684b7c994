select
    table_id,
    sum(rows_read) / sum(seconds) as rate
from audit.batch
where
    state = 'released'
    and rows_read > 10000
    and seconds > 0
group by table_id
