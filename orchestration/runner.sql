-- name: batches
select *
from audit.batch
where run_id = %(run_id)s
order by batch_seq;

-- name: forget
delete from audit.ledger
where run_id = %(run_id)s;

-- name: balance
insert into audit.ledger (
    run_id, table_id, identity, left_rows, right_rows, sample
)
values (
    %(run_id)s,
    %(table_id)s,
    %(identity)s,
    %(in_log)s,
    %(in_silver)s,
    nullif(%(sample)s, '')
);
