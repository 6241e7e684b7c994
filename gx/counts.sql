-- name: rows_before
-- The first window of a table with a watermark holds all rows.
select rows_read
from audit.batch
where
    table_id = %(table_id)s
    and state = 'released'
    and kind = 'window'
    and (%(reads_whole)s or window_low is not null)
order by batch_seq desc
limit 1;

-- name: keyless
-- Rows that a person released once are not reported again.
select count(*)
from audit.reject as new
where
    table_id = %(table_id)s
    and batch_seq = %(batch_seq)s
    and reason like 'NULL in key%%'
    and not exists (
        select from audit.reject as old
        inner join audit.batch using (table_id, batch_seq)
        where
            table_id = new.table_id
            and state = 'released'
            and old.reason = new.reason
            and old.source_row = new.source_row
    );
