insert into audit.table_state (table_id, released_through, snapshot_seq, observed_at)
values (%(table)s, %(through)s, 1, now())
on conflict (table_id) do update set released_through = excluded.released_through
