-- name: note
insert into audit.column_profile (
    table_id,
    batch_seq,
    rows,
    column_name,
    nulls,
    distinct_count,
    least,
    greatest,
    quantiles,
    mean,
    deviation,
    shortest,
    longest,
    mean_length
)
values (
    %(table_id)s,
    %(batch_seq)s,
    %(rows)s,
    %(column_name)s,
    %(nulls)s,
    %(distinct_count)s,
    %(least)s,
    %(greatest)s,
    %(quantiles)s,
    %(mean)s,
    %(deviation)s,
    %(shortest)s,
    %(longest)s,
    %(mean_length)s
)
on conflict do nothing;

-- name: forget
delete from audit.column_profile
where table_id = %(table_id)s and batch_seq <= %(batch_seq)s - %(kept)s;
