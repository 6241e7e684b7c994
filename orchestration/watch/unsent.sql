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
order by run.run_id
