-- Each key at each of ten microseconds, before, on and between all boundaries.
with

facts as (

    select distinct
        case_id,
        key_id,
        timestamp '2026-01-01' + microsecond * interval '1 microsecond' as at
    from {{ ref('things') }}
    cross join generate_series(0, 9) as microsecond

),

versions as (

    select * from {{ ref('versions_history') }}

),

first_versions as (

    select * from {{ ref('versions_history') }}

)

select
    facts.case_id,
    facts.key_id,
    facts.at,
    versions.version,
    versions.tracked,
    first_versions.version as version_or_first
from facts
left join versions
    on
        facts.case_id = versions.case_id
        and facts.key_id = versions.key_id
        and {{ valid_at(versions='versions', instant='facts.at') }}
left join first_versions
    on
        facts.case_id = first_versions.case_id
        and facts.key_id = first_versions.key_id
        and {{ valid_at(
            versions='first_versions',
            instant='facts.at',
            first_reaches_back=true,
        ) }}
