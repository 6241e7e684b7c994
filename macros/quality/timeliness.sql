{% macro timeliness(table, warn_minutes, error_minutes) %}
    {{- return(adapter.dispatch('timeliness')(
        table=table, warn_minutes=warn_minutes, error_minutes=error_minutes
    )) }}
{% endmacro %}

{% macro default__timeliness(table, warn_minutes, error_minutes) -%}
    {{- share_of_time(
        age="timestampdiff(minute, max(observed_at), sysdate())",
        table=table, warn_minutes=warn_minutes, error_minutes=error_minutes
    ) }}
{%- endmacro %}

{% macro postgres__timeliness(table, warn_minutes, error_minutes) -%}
    {{- share_of_time(
        age="cast(extract(epoch from now() at time zone 'utc' - max(observed_at))"
            ~ " as double precision) / 60",
        table=table, warn_minutes=warn_minutes, error_minutes=error_minutes
    ) }}
{%- endmacro %}
