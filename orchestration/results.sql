-- What dbt has checked, into audit.dq_result: the tests and enforced contracts
-- of its run_results.json, and the freshness in its sources.json. A test of the
-- seed's rules has its rule and table in its meta; any other is a rule of the
-- business.
with

nodes as (

    select
        key as unique_id,
        value as node,
        value -> 'config' as config,
        coalesce(nullif(value #>> '{config,schema}', ''), 'models') || '.'
        || (value ->> 'name') as model
    from jsonb_each(%(nodes)s)

),

tables as (

    select seed.*
    from
        jsonb_to_recordset(%(tables)s) as seed (
            table_id text,
            bronze text,
            warn_minutes integer,
            error_minutes integer,
            expected jsonb
        )

),

results as (

    select
        nodes.*,
        result.place,
        result.value ->> 'status' as status,
        (result.value ->> 'failures')::bigint as failures,
        (result.value ->> 'execution_time')::double precision as seconds
    from
        jsonb_array_elements(%(results)s)
        with ordinality as result (value, place)
    inner join nodes on result.value ->> 'unique_id' = nodes.unique_id
    where result.value ->> 'status' not in ('skipped', 'no-op')

),

tests as (

    select
        results.*,
        config #>> '{meta,rule}' as rule,
        -- What a rule of the business is about: the first model that it reads.
        case
            when config #>> '{meta,rule}' is null
                then (
                    select nodes.model
                    from
                        jsonb_array_elements_text(
                            jsonb_build_array(node -> 'attached_node')
                            || (node #> '{depends_on,nodes}')
                        ) with ordinality as about (unique_id, place)
                    inner join nodes on about.unique_id = nodes.unique_id
                    order by about.place
                    limit 1
                )
        end as about
    from results
    where node ->> 'resource_type' = 'test'

),

named_tests as (

    select
        *,
        case when rule is null then 'business' else 'model' end as layer,
        case
            when rule is null then coalesce(about, node ->> 'name')
            else config #>> '{meta,table}'
        end as table_id,
        coalesce(rule, node ->> 'name') as rule_id
    from tests

),

contracts as (

    select
        *,
        config #>> '{meta,source}' as source_table,
        status = 'success' as passed
    from results
    where
        node ->> 'resource_type' = 'model'
        and (node #>> '{contract,enforced}')::boolean

),

ages as (

    select
        tables.*,
        result.place,
        result.value ->> 'status' as status,
        (result.value ->> 'max_loaded_at_time_ago_in_s')::numeric
        / 60 as minutes,
        (result.value ->> 'execution_time')::double precision as seconds
    from
        jsonb_array_elements(%(ages)s)
        with ordinality as result (value, place)
    inner join tables
        on substring(result.value ->> 'unique_id' from '[^.]*$') = tables.bronze
    -- Of others nothing has been released.
    where result.value ? 'max_loaded_at_time_ago_in_s'

),

found as (

    select
        named_tests.layer,
        named_tests.table_id,
        named_tests.rule_id,
        case lower(named_tests.config ->> 'severity')
            when 'warn' then 'warn' else 'block'
        end as severity,
        named_tests.status = 'pass' as passed,
        case
            when named_tests.failures is null
                then 'it could not be asked; .seedbed/log/dbt.log says why'
            when named_tests.status = 'pass' then 'as expected'
            else
                to_char(named_tests.failures, 'FM999,999,999,999,990')
                || ' rows fail'
        end as observed,
        coalesce(
            tables.expected ->> named_tests.rule_id, 'no row fails'
        ) as expected,
        named_tests.failures as failing_rows,
        named_tests.seconds,
        named_tests.place
    from named_tests
    left join tables on named_tests.table_id = tables.table_id

    union all

    select
        case when source_table is null then 'business' else 'model' end,
        coalesce(source_table, model),
        (node ->> 'name') || ':contract',
        'block',
        passed,
        case
            when passed then 'as expected'
            else 'not built; .seedbed/log/dbt.log says why'
        end,
        'columns, types and constraints of its contract',
        null,
        seconds,
        place
    from contracts

    union all

    select
        'model',
        table_id,
        'freshness',
        case when minutes > error_minutes then 'block' else 'warn' end,
        status = 'pass',
        to_char(minutes, 'FM999,999,999,999,990') || ' minutes old',
        format(
            'at most %%s, never more than %%s',
            to_char(warn_minutes, 'FM999,999,999,990'),
            to_char(error_minutes, 'FM999,999,999,990')
        ),
        null,
        seconds,
        place
    from ages

)

insert into audit.dq_result (
    run_id,
    layer,
    table_id,
    rule_id,
    severity,
    passed,
    observed,
    expected,
    failing_rows,
    seconds
)
select distinct on (layer, table_id, rule_id)
    %(run_id)s,
    layer,
    table_id,
    rule_id,
    severity,
    passed,
    observed,
    expected,
    failing_rows,
    seconds
from found
order by layer asc, table_id asc, rule_id asc, place desc
on conflict (run_id, layer, table_id, rule_id, coalesce(batch_seq, 0))
do update set
    passed = excluded.passed,
    observed = excluded.observed,
    failing_rows = excluded.failing_rows,
    seconds = excluded.seconds,
    checked_at = clock_timestamp()
