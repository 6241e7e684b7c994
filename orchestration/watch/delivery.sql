-- What came of sending something over a channel; a later try replaces it.
insert into audit.delivery as old (
    channel,
    subject,
    sent_at,
    tries,
    error,
    parts
)
values (
    %(channel)s,
    %(subject)s,
    case when %(is_sent)s then clock_timestamp() end,
    %(tries)s,
    %(fault)s,
    %(parts)s
)
on conflict (channel, subject) do update set
    sent_at = excluded.sent_at,
    tries = old.tries + excluded.tries,
    error = excluded.error,
    parts = excluded.parts
