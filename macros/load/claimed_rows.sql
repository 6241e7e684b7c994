{#-
    CTEs that end in `placed`: the log rows to derive from, each with the time it
    takes effect. On an increment these are all rows of every key that has a new
    row; on the first run and on a rebuild, all rows. A row that was first
    observed after a tombstone takes effect no earlier than it.
-#}
{% macro claimed_rows(source, key, from_log=true) %}
{%- set keys = key | join(', ') -%}
{%- if is_incremental() and from_log %}
touched as (

    select distinct {{ keys }}
    from {{ source }}
    where
        _batch_seq > {{ claimed('after_seq') }}
        and _batch_seq <= {{ claimed('through_seq') }}

),

log as (

    select source.*
    from {{ source }} as source
    inner join touched
        on {{ same_key('touched', 'source', key) }}
    where source._batch_seq <= {{ claimed('through_seq') }}

),
{%- else %}
log as (

    select *
    from {{ source }}
    where
        _batch_seq > {{ claimed('after_seq') }}
        and _batch_seq <= {{ claimed('through_seq') }}

),
{%- endif %}

placed as (

    {{ placed_rows(source='log', key=key) }}

),
{% endmacro %}
