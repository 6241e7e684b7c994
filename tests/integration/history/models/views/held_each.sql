-- Each key at each of ten microseconds, before, on and between all boundaries.
with

facts as (

    select distinct
        case_id,
        key_id,
        {{ dbt.dateadd(
            'microsecond',
            'instants.number',
            "cast('2026-01-01' as timestamp)"
        ) }} as instant
    from {{ ref('things') }}
    cross join (
        values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)
    ) as instants (number)

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
    facts.instant,
    versions.version,
    versions.tracked,
    first_versions.version as version_or_first
from facts
left join versions
    on
        facts.case_id = versions.case_id
        and facts.key_id = versions.key_id
        and {{ valid_at(versions='versions', instant='facts.instant') }}
left join first_versions
    on
        facts.case_id = first_versions.case_id
        and facts.key_id = first_versions.key_id
        and {{ valid_at(
            versions='first_versions',
            instant='facts.instant',
            first_reaches_back=true,
        ) }}
