with

queries as (

    select
        query_id,
        warehouse_name,
        coalesce(
            cast(get(try_parse_json(query_tag), 'model') as varchar),
            case cast(get(try_parse_json(query_tag), 'app') as varchar)
                when 'seedbed' then '(seedbed)'
                else '(others)'
            end
        ) as model,
        start_time,
        end_time,
        bytes_scanned
    from snowflake.account_usage.query_history
    where
        warehouse_name is not null
        and execution_time > 0

),

hours as (

    select
        warehouse_name,
        start_time as hour_start,
        dateadd('hour', 1, start_time) as hour_end,
        credits_used_compute
    from snowflake.account_usage.warehouse_metering_history

),

-- A query that runs past the hour has a share in each.
shares as (

    select
        hours.warehouse_name,
        hours.hour_start,
        queries.query_id,
        queries.model,
        queries.bytes_scanned,
        queries.start_time >= hours.hour_start as is_first_hour,
        datediff(
            'millisecond',
            greatest(queries.start_time, hours.hour_start),
            least(queries.end_time, hours.hour_end)
        ) as run_ms
    from hours
    inner join queries
        on
            hours.warehouse_name = queries.warehouse_name
            and hours.hour_start < queries.end_time
            and hours.hour_end > queries.start_time

),

totals as (

    select
        warehouse_name,
        hour_start,
        sum(run_ms) as run_ms
    from shares
    group by
        warehouse_name,
        hour_start

),

-- Idle are the hours in which a warehouse ran and no query did.
allocated as (

    select
        hours.warehouse_name,
        hours.hour_start,
        coalesce(shares.model, '(idle)') as model,
        case when shares.is_first_hour then shares.query_id end as query_id,
        case when shares.is_first_hour then shares.bytes_scanned end
            as bytes_scanned,
        coalesce(shares.run_ms, 0) as run_ms,
        coalesce(
            cast(
                (
                    cast(
                        ((hours.credits_used_compute * shares.run_ms) * cast(1000000000 as numeric(38, 0)) - mod((hours.credits_used_compute * shares.run_ms) * cast(1000000000 as numeric(38, 0)), nullif(totals.run_ms, 0))) / nullif(totals.run_ms, 0)
                        as numeric(38, 0)
                    )
                    + case
                        when 2 * abs(mod((hours.credits_used_compute * shares.run_ms) * cast(1000000000 as numeric(38, 0)), nullif(totals.run_ms, 0))) < abs(totals.run_ms) then 0
                        when (hours.credits_used_compute * shares.run_ms < 0) = (totals.run_ms < 0) then 1
                        else -1
                    end
                ) * 0.000000001 as numeric(18, 9)
            ), hours.credits_used_compute
        ) as credits
    from hours
    left join shares
        on
            hours.warehouse_name = shares.warehouse_name
            and hours.hour_start = shares.hour_start
            and shares.run_ms > 0
    left join totals
        on
            hours.warehouse_name = totals.warehouse_name
            and hours.hour_start = totals.hour_start

),

final as (

    select
        cast(hour_start as date) as usage_date,
        warehouse_name,
        model,
        count(query_id) as query_count,
        sum(run_ms) * 0.001 as run_seconds,
        coalesce(sum(bytes_scanned), 0) as bytes_scanned,
        round(sum(credits), 6) as credits,
        round(
            sum(credits)
            * 3.00,
            2
        ) as cost
    from allocated
    group by
        cast(hour_start as date),
        warehouse_name,
        model

)

select * from final