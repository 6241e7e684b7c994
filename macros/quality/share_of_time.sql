{% macro share_of_time(age, table, warn_minutes, error_minutes) %}
    {{- return(adapter.dispatch('share_of_time')(
        age=age, table=table, warn_minutes=warn_minutes, error_minutes=error_minutes
    )) }}
{% endmacro %}

{#- 1 until freshness warns, then in a straight line to 0, where it fails -#}
{% macro default__share_of_time(age, table, warn_minutes, error_minutes) -%}
    (
        select cast(
            case
                when {{ age }} <= {{ warn_minutes }} then 1
                when {{ age }} >= {{ error_minutes }} then 0
                else ({{ error_minutes }} - {{ age }})
                    / nullif({{ error_minutes - warn_minutes }}, 0)
            end as double precision
        )
        from {{ audit_table('table_state') }}
        where table_id = '{{ table }}'
    )
{%- endmacro %}
