-- The messages of a day that a channel has not sent: of alerts that were opened
-- or are over, and of runs that are done, if those are reported too.
with

changes as (

    select
        format('alert/%%s/opened', alert_id) as subject,
        format('seedbed/%%s/%%s', kind, table_id) as key,
        'opened' as state,
        alert.*,
        raised_at as at
    from audit.alert
    where closed_at is null or raised_at > clock_timestamp() - interval '1 day'

    union all

    select
        format('alert/%%s/closed', alert_id),
        format('seedbed/%%s/%%s', kind, table_id),
        'closed',
        alert.*,
        closed_at
    from audit.alert
    where closed_at > clock_timestamp() - interval '1 day'

),

runs as (

    select
        format('run/%%s', run_id) as subject,
        command,
        run_id,
        ended_at as at
    from audit.run
    where
        %(success)s
        and state = 'done'
        and ended_at > clock_timestamp() - interval '1 day'

),

messages as (

    select
        changes.subject,
        changes.key,
        changes.state,
        changes.kind,
        coalesce(changes.table_id, '') as table,
        changes.severity,
        changes.message as text,
        coalesce(source_table.owner, '') as owner,
        changes.at
    from changes
    left join audit.source_table on changes.table_id = source_table.table_id

    union all

    select
        subject,
        format('seedbed/%%s', run_id),
        'notice',
        'run_done',
        '',
        'warn',
        format('%%s %%s', command, run_id),
        '',
        at
    from runs

)

select
    messages.subject,
    messages.key,
    messages.state,
    messages.kind,
    messages.table,
    messages.severity,
    messages.text,
    messages.owner,
    to_char(messages.at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS') as at
from messages
left join audit.delivery
    on
        messages.subject = delivery.subject
        and delivery.channel = %(channel)s
where delivery.sent_at is null and messages.state = any(%(states)s)
order by messages.at, messages.subject
