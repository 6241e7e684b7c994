-- What the days come to is what the control tables hold.
with

summary as (

    select
        coalesce(sum(rule_count), 0) as rules,
        coalesce(sum(failed_count + warned_count), 0) as failed,
        coalesce(sum(batch_count), 0) as batches,
        coalesce(sum(read_row_count), 0) as rows_read,
        coalesce(sum(rejected_row_count), 0) as rows_rejected
    from {{ ref('data_quality_summary') }}

),

rules as (

    select
        count(*) as rules,
        count(*) filter (where not passed) as failed
    from {{ source('audit', 'dq_result') }}

),

batches as (

    select
        count(*) as batches,
        coalesce(sum(rows_read), 0) as rows_read,
        coalesce(sum(rows_rejected), 0) as rows_rejected
    from {{ source('audit', 'batch') }}
    where decided_at is not null

)

select
    summary.rules,
    rules.rules as asked_rules,
    summary.batches,
    batches.batches as decided_batches
from summary
cross join rules
cross join batches
where
    summary.rules <> rules.rules
    or summary.failed <> rules.failed
    or summary.batches <> batches.batches
    or summary.rows_read <> batches.rows_read
    or summary.rows_rejected <> batches.rows_rejected
