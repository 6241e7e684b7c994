{#- NULLs are alike, as row_number takes them -#}
{% macro deduplicate(source, key, order_by) -%}
    select *
    from (
        select
            *,
            row_number() over (
                partition by {{ key | join(', ') }}
                order by {{ order_by | join(', ') }}
            ) as _duplicate_number
        from {{ source }}
    ) as numbered
    where _duplicate_number = 1
{%- endmacro %}
