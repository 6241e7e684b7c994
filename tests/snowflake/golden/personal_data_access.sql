with

tagged_columns as (

    select
        object_database
        || '.' || object_schema
        || '.' || object_name as relation,
        column_name,
        tag_value as pii
    from snowflake.account_usage.tag_references
    where
        tag_name = 'PII'
        and domain = 'COLUMN'
        and tag_value not in ('none', 'unclassified')
        and object_deleted is null

),

-- A query's objects and their columns, as they were named in it.
reads as (

    select
        access_history.query_id,
        access_history.query_start_time,
        access_history.user_name,
        cast(get(named.value, 'objectName') as varchar) as relation,
        cast(get(parts.value, 'columnName') as varchar) as column_name
    from snowflake.account_usage.access_history as access_history,
        lateral flatten(
            input => access_history.direct_objects_accessed
        ) as named,
        lateral flatten(input => get(named.value, 'columns')) as parts

),

queries as (

    select
        query_id,
        role_name
    from snowflake.account_usage.query_history

),

final as (

    select
        cast(reads.query_start_time as date) as access_date,
        reads.user_name,
        queries.role_name,
        reads.relation,
        reads.column_name,
        tagged_columns.pii,
        count(distinct reads.query_id) as query_count,
        max(reads.query_start_time) as last_access_at
    from reads
    inner join tagged_columns
        on
            reads.relation = tagged_columns.relation
            and reads.column_name = tagged_columns.column_name
    left join queries
        on reads.query_id = queries.query_id
    group by
        cast(reads.query_start_time as date),
        reads.user_name,
        queries.role_name,
        reads.relation,
        reads.column_name,
        tagged_columns.pii

)

select * from final