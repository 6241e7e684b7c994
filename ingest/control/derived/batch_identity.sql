-- The identities of each batch. The numbers of one are taken apart from each
-- other: `source_rows` is counted by the source, `rows_read` in the raw files,
-- what became of them in the bronze files, and `rows_loaded` in the log. The
-- gate holds back a batch of which one fails.
create or replace view audit.batch_identity as
select
    batch.run_id,
    batch.table_id,
    batch.batch_seq,
    identity.rule_id,
    identity.identity,
    identity.left_rows,
    identity.right_rows,
    identity.left_rows = identity.right_rows as holds,
    batch.unaccounted
from audit.batch
cross join
    lateral (
        values
        ('rows_read', 'source = read', source_rows, rows_read),
        (
            'rows_accounted',
            'read = written + unchanged + rejected',
            rows_read,
            rows_written + rows_unchanged + rows_rejected
        ),
        ('keys_deleted', 'gone = deleted', keys_gone, rows_deleted),
        (
            'rows_as_in_manifest',
            'written + deleted = loaded',
            rows_written + rows_deleted,
            rows_loaded
        )
    ) as identity (rule_id, identity, left_rows, right_rows)
where identity.left_rows is not null and identity.right_rows is not null;
