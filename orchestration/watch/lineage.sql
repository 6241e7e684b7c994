-- name: last
-- The run that is asked for, or the last one, if it has ended.
select run_id
from audit.run
where
    ended_at is not null
    and (%(run_id)s::text is null or run_id = %(run_id)s)
order by run_id desc
limit 1;

-- name: forget
-- That a run's events were sent.
delete from audit.delivery
where channel = 'lineage' and subject = 'run/' || %(run_id)s;

-- name: ended
-- The newest runs of a week.
select run_id
from audit.run
where ended_at > clock_timestamp() - interval '7 days'
order by ended_at desc
limit %(most)s; -- noqa: AM09

-- name: unsent
-- The runs of a week whose events were not all sent, and how many were.
select
    run.run_id,
    coalesce(delivery.parts, 0) as parts
from audit.run
left join audit.delivery
    on
        delivery.subject = 'run/' || run.run_id
        and delivery.channel = 'lineage'
where
    run.ended_at > clock_timestamp() - interval '7 days'
    and delivery.sent_at is null
order by run.run_id;
