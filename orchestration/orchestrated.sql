-- name: awaited
-- A table has one batch under way at most; one that is planned is on its way
-- where the run that reads it is.
with

awaited as (

    select
        batch.table_id,
        batch.manifest_key,
        batch.state
    from audit.batch
    inner join audit.run on batch.run_id = run.run_id
    where
        batch.state = 'extracted'
        or (batch.state = 'planned' and run.state = 'running')

)

select
    wanted.table_id,
    coalesce(%(lake)s || awaited.manifest_key, '') as manifest,
    case awaited.state
        when 'planned' then %(later)s
        else %(soon)s
    end as patience
from unnest(%(tables)s::text[]) as wanted (table_id)
left join awaited on wanted.table_id = awaited.table_id
order by wanted.table_id;

-- name: disable
-- Of what the seed has no more, nothing is waited for.
update audit.run_table
set state = %(disabled)s
where
    run_id = %(run_id)s
    and state = %(waiting)s
    and table_id <> all(%(tables)s);

-- name: known
select
    run_id,
    state
from audit.run
where orchestrated_by = %(known_as)s;

-- name: missed
insert into audit.alert (run_id, kind, severity, message)
values (%(run_id)s, 'deadline_missed', 'block', %(message)s)
on conflict do nothing;
