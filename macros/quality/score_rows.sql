{% macro score_rows(
    relation, table, key, complete, unique, valid, consistent, warn_minutes,
    error_minutes
) %}
{%- set dimensions = {
    'completeness': [], 'validity': [], 'uniqueness': [], 'consistency': [],
} -%}
{%- for name in complete -%}
    {%- do dimensions.completeness.append(
        "case when " ~ name ~ " is null then 0.0 else 1.0 end"
    ) -%}
{%- endfor -%}
{%- for rule in valid -%}
    {%- do dimensions.validity.append(rule_holds(rule=rule)) -%}
{%- endfor -%}
{%- for names in unique -%}
    {%- do dimensions.uniqueness.append(
        "cast(1 as double precision) / count(*) over (partition by "
            ~ names | join(', ') ~ ")"
    ) -%}
{%- endfor -%}
{%- for rule in consistent -%}
    {%- do dimensions.consistency.append(
        rule_holds(rule=rule, joined="_aggregate_" ~ loop.index)
    ) -%}
{%- endfor -%}
select
    {%- for name in key %}
    {{ name }},
    {%- endfor %}
    {%- for name in dimensions %}
    {{ name }},
    {%- endfor %}
    timeliness,
    cast(
        {{ dimensions | join(' + ') }} + timeliness as double precision
    ) / 5 as score
from (
    select
        {%- for name in key %}
        {{ name }},
        {%- endfor %}
        {%- for name, parts in dimensions.items() %}
        {#- A dimension without rules scores 1 -#}
        cast(
            {{ parts | join('\n            + ') or 1 }} as double precision
        ) / {{ parts | length or 1 }} as {{ name }},
        {%- endfor %}
        {{ timeliness(
            table=table, warn_minutes=warn_minutes, error_minutes=error_minutes
        ) }} as timeliness
    from {{ relation }}
    {%- for rule in consistent %}
        {%- if rule.function is defined %}
    {{ aggregate_join(rule=rule, name="_aggregate_" ~ loop.index) }}
        {%- endif %}
    {%- endfor %}
    where not is_deleted
) as judged
{% endmacro %}
