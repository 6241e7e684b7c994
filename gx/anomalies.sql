-- How unusual a batch is for its table. A value is compared with those of the
-- table's released batches by a robust z-score: its distance from their median,
-- divided by a unit. The unit adds up the spread of the past (the median of the
-- distances from the median, which one bad batch does not move), the sampling
-- error of a batch of that size, and a small tolerance.
with

past as (

    select *
    from audit.batch
    where
        table_id = %(table_id)s
        and state = 'released'
        and kind = 'window'
        and batch_seq < %(batch_seq)s
    order by batch_seq desc
    limit 30

),

present as (

    select *
    from audit.batch
    where
        table_id = %(table_id)s
        and batch_seq = %(batch_seq)s

),

-- Rows are compared as factors: half as many is as far away as twice as many.
volume as (

    select
        batch_seq,
        ln(1 + rows_read) as value,
        1 / (1 + rows_read::double precision) + 0.0025 as noise,
        rows_read::double precision as shown
    from (
        select * from past
        union all
        select * from present
    ) as batches

),

-- Minutes between the newest change at the source and the time it was read.
freshness as (

    select
        batch_seq,
        extract(epoch from observed_at - window_high)::double precision
        / 60 as value,
        1::double precision as noise
    from (
        select * from past
        union all
        select * from present
    ) as batches
    where window_high is not null

),

profiles as (

    select profiles.*
    from audit.column_profile as profiles
    where
        profiles.table_id = %(table_id)s
        and (
            profiles.batch_seq = %(batch_seq)s
            or profiles.batch_seq in (select batch_seq from past)
        )

),

measures as (

    select
        'volume' as kind,
        null as column_name,
        batch_seq,
        value,
        noise,
        shown
    from volume

    union all

    select
        'freshness',
        null,
        batch_seq,
        value,
        noise,
        value
    from freshness

    union all

    select
        'nulls',
        column_name,
        batch_seq,
        nulls / rows::double precision,
        (nulls + 1) * (rows - nulls + 1) / (rows + 2::double precision) ^ 3
        + 0.0001,
        100 * nulls / rows::double precision
    from profiles

    union all

    select
        'distribution',
        column_name,
        batch_seq,
        mean,
        -- Of a larger batch the mean is that of a sample (EXACT_ROWS).
        coalesce(deviation, 0) ^ 2 / least(rows, 100000),
        mean
    from profiles
    where mean is not null

),

medians as (

    select
        kind,
        column_name,
        count(*) as batches,
        percentile_cont(0.5) within group (order by value) as middle,
        percentile_cont(0.5) within group (order by noise) as noise,
        percentile_cont(0.5) within group (order by shown) as shown
    from measures
    where batch_seq < %(batch_seq)s
    group by kind, column_name

),

distances as (

    select
        measures.kind,
        measures.column_name,
        percentile_cont(0.5) within group (
            order by abs(measures.value - medians.middle)
        ) as middle
    from measures
    inner join medians
        on
            measures.kind = medians.kind
            and measures.column_name is not distinct from medians.column_name
    where measures.batch_seq < %(batch_seq)s
    group by measures.kind, measures.column_name

),

scores as (

    select
        measures.kind,
        measures.column_name,
        measures.shown,
        medians.shown as usual,
        (measures.value - medians.middle) / sqrt(
            (1.4826 * distances.middle) ^ 2
            + greatest(measures.noise, medians.noise)
            + case measures.kind
                when 'freshness' then (0.1 * medians.middle) ^ 2
                when 'distribution' then (0.01 * medians.middle) ^ 2 + 1e-12
                else 0
            end
        ) as score
    from measures
    inner join medians
        on
            measures.kind = medians.kind
            and measures.column_name is not distinct from medians.column_name
    inner join distances
        on
            measures.kind = distances.kind
            and measures.column_name is not distinct from distances.column_name
    where
        measures.batch_seq = %(batch_seq)s
        and medians.batches >= %(least)s

),

-- The worst of a table's columns is reported; data that are fresher than usual
-- pass.
worst as (

    select distinct on (kind)
        kind,
        column_name,
        shown,
        usual,
        case kind when 'freshness' then greatest(score, 0) else abs(score) end
            as score
    from scores
    order by
        kind asc,
        case kind
            when 'freshness' then greatest(score, 0) else abs(score)
        end desc,
        column_name

)

select
    'anomaly:' || kind as rule_id,
    %(severity)s as severity,
    score <= %(most)s as passed,
    coalesce(column_name || ': ', '')
    || case kind
        when 'volume' then round(shown::numeric) || ' rows read'
        when 'freshness' then round(shown::numeric) || ' minutes old'
        when 'nulls' then round(shown::numeric, 1) || '%% NULL'
        else 'mean ' || round(shown::numeric, 3)
    end
    || ', score ' || round(score::numeric, 1) as observed,
    'as usual: '
    || case kind
        when 'volume' then round(usual::numeric) || ' rows'
        when 'freshness' then round(usual::numeric) || ' minutes'
        when 'nulls' then round(usual::numeric, 1) || '%%'
        else round(usual::numeric, 3)::text
    end
    || ', score up to ' || round(%(most)s::numeric, 1) as expected,
    null::bigint as failing_rows,
    %(seconds)s::double precision as seconds
from worst
order by kind
