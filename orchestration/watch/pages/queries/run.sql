-- One row: what the report says of the run that is in no other query.
select
    clock_timestamp() as written_at,
    extract(
        epoch from coalesce(ended_at, clock_timestamp()) - started_at
    )::double precision as seconds,
    (
        select count(distinct role_name) from audit.probe
        where run_id = %(run_id)s and relation <> '' and role_name <> 'public'
    ) as roles
from audit.run
where run_id = %(run_id)s
