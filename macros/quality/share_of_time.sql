{#- 1 until freshness warns, then in a straight line to 0, where it fails -#}
{% macro share_of_time(age, table, warn_minutes, error_minutes) -%}
    (
        select
            case
                when {{ age }} <= {{ warn_minutes }}
                    then cast(1 as double precision)
                when {{ age }} >= {{ error_minutes }} then 0
                else cast({{ error_minutes }} - {{ age }} as double precision)
                    / nullif({{ error_minutes - warn_minutes }}, 0)
            end
        from {{ audit_table('table_state') }}
        where table_id = '{{ table }}'
    )
{%- endmacro %}
