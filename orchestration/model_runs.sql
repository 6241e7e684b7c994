-- What became of each model and snapshot of dbt's run_results.json, into
-- audit.model_run. A node that was skipped was not executed, and has no row.
with

results as (

    select
        nodes.value as node,
        result.value as result,
        (result.value #>> '{adapter_response,rows_affected}')::bigint as rows,
        jsonb_path_query_first(
            result.value, '$.timing[*] ? (@.name == "execute")'
        ) as timing
    from jsonb_array_elements(%(results)s) as result (value)
    inner join
        jsonb_each(%(nodes)s) as nodes
        on nodes.key = result.value ->> 'unique_id'
    where nodes.value ->> 'resource_type' in ('model', 'snapshot')

)

insert into audit.model_run (
    run_id,
    target,
    model,
    layer,
    status,
    rows,
    started_at,
    ended_at
)
select
    %(run_id)s,
    %(target)s,
    node ->> 'name',
    coalesce(nullif(node #>> '{config,schema}', ''), 'models'),
    result ->> 'status',
    case when rows >= 0 then rows end,
    (timing ->> 'started_at')::timestamptz,
    (timing ->> 'completed_at')::timestamptz
from results
where timing is not null
on conflict do nothing
