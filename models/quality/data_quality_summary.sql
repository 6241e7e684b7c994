with

results as (

    select
        table_id as table_name,
        run_id,
        severity,
        passed,
        failing_rows,
        cast(checked_at at time zone 'utc' as date) as summary_date
    from {{ source('audit', 'dq_result') }}

),

batches as (

    select
        table_id as table_name,
        rows_read,
        rows_rejected,
        rows_loaded,
        cast(decided_at at time zone 'utc' as date) as summary_date,
        -- A superseded batch was rejected and has been read again since.
        state in ('rejected', 'superseded')
        or decision is not null as is_held
    from {{ source('audit', 'batch') }}
    where decided_at is not null

),

scores as (

    select
        table_id as table_name,
        score,
        cast(scored_at at time zone 'utc' as date) as summary_date,
        row_number() over (
            partition by table_id, cast(scored_at at time zone 'utc' as date)
            order by scored_at desc
        ) as recency
    from {{ source('audit', 'quality_score') }}

),

days as (

    select
        summary_date,
        table_name
    from results

    union distinct

    select
        summary_date,
        table_name
    from batches

    union distinct

    select
        summary_date,
        table_name
    from scores

),

rules_by_day as (

    select
        summary_date,
        table_name,
        count(distinct run_id) as run_count,
        count(*) as rule_count,
        sum(case when passed then 1 else 0 end) as passed_count,
        sum(
            case when not passed and severity = 'block' then 1 else 0 end
        ) as failed_count,
        sum(
            case when not passed and severity = 'warn' then 1 else 0 end
        ) as warned_count,
        sum(case when passed then 0 else failing_rows end) as failing_row_count
    from results
    group by
        summary_date,
        table_name

),

batches_by_day as (

    select
        summary_date,
        table_name,
        count(*) as batch_count,
        sum(case when is_held then 1 else 0 end) as held_batch_count,
        sum(rows_read) as read_row_count,
        sum(rows_rejected) as rejected_row_count,
        sum(rows_loaded) as loaded_row_count
    from batches
    group by
        summary_date,
        table_name

),

final as (

    select
        days.summary_date,
        cast(days.table_name as varchar(200)) as table_name,
        cast(coalesce(rules.run_count, 0) as bigint) as run_count,
        cast(coalesce(rules.rule_count, 0) as bigint) as rule_count,
        cast(coalesce(rules.passed_count, 0) as bigint) as passed_count,
        cast(coalesce(rules.failed_count, 0) as bigint) as failed_count,
        cast(coalesce(rules.warned_count, 0) as bigint) as warned_count,
        cast(
            {{ quotient(
                numerator='rules.passed_count',
                denominator='rules.rule_count',
                scale=6,
            ) | indent(12) }} as numeric(9, 6)
        ) as pass_rate,
        cast(
            coalesce(rules.failing_row_count, 0) as bigint
        ) as failing_row_count,
        cast(coalesce(batches.batch_count, 0) as bigint) as batch_count,
        cast(
            coalesce(batches.held_batch_count, 0) as bigint
        ) as held_batch_count,
        cast(coalesce(batches.read_row_count, 0) as bigint) as read_row_count,
        cast(
            coalesce(batches.rejected_row_count, 0) as bigint
        ) as rejected_row_count,
        cast(
            coalesce(batches.loaded_row_count, 0) as bigint
        ) as loaded_row_count,
        cast(
            {{ quotient(
                numerator='batches.rejected_row_count',
                denominator='batches.read_row_count',
                scale=6,
            ) | indent(12) }} as numeric(9, 6)
        ) as rejection_rate,
        cast(scores.score as numeric(9, 6)) as quality_score
    from days
    left join rules_by_day as rules
        on
            days.summary_date = rules.summary_date
            and days.table_name = rules.table_name
    left join batches_by_day as batches
        on
            days.summary_date = batches.summary_date
            and days.table_name = batches.table_name
    left join scores
        on
            days.summary_date = scores.summary_date
            and days.table_name = scores.table_name
            and scores.recency = 1

)

select * from final
