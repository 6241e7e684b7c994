-- name: last_built
-- The checksum of the project that the last build was made of, empty if it was
-- not complete; and whether the tests have looked at all rows within a day.
select
    built_from,
    coalesce(
        tested_whole_at > clock_timestamp() - interval '1 day', false
    ) as is_tested
from audit.build_state
where environment = %(environment)s;

-- name: remember
insert into audit.build_state (environment, built_from, tested_whole_at)
values (
    %(environment)s,
    %(built_from)s,
    case when %(is_tested)s then clock_timestamp() end
)
on conflict (environment) do update set
    built_from = excluded.built_from,
    changed_at = clock_timestamp(),
    tested_whole_at = coalesce(
        excluded.tested_whole_at, build_state.tested_whole_at
    );

-- name: built
-- How far each table was released when the build was planned.
insert into audit.built_table (environment, table_id, through_seq)
select
    %(environment)s,
    released.table_id,
    released.through_seq::bigint
from jsonb_each_text(%(released)s) as released (table_id, through_seq)
on conflict (environment, table_id) do update set
    through_seq = excluded.through_seq;
