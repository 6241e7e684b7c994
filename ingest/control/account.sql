-- name: balance
-- Once a table and identity: a run may have several batches of a table.
insert into audit.ledger (
    run_id, table_id, identity, left_rows, right_rows, sample
)
select
    run_id,
    table_id,
    identity,
    sum(left_rows),
    sum(right_rows),
    max(unaccounted) filter (where not holds)
from audit.batch_identity
where run_id = %(run_id)s
group by run_id, table_id, identity;

-- name: batch_identities
select *
from audit.batch_identity
where table_id = %(table_id)s and batch_seq = %(batch_seq)s;

-- name: identities
select
    table_id,
    identity,
    left_rows,
    right_rows,
    holds,
    sample
from audit.ledger
where run_id = %(run_id)s
order by table_id, identity;
