{#-
    A history is consistent when each key has exactly one current version, its
    versions are numbered without holes, and each one ends where the next one
    starts, after its own start. Versions of a change log, and those of an old
    snapshot, may start at one instant (`allow_ties`).
-#}
{% test consistent_history(model, key, allow_ties=false) %}
{%- set by_key = 'partition by ' ~ key | join(', ') -%}
{%- set by_version = by_key ~ ' order by version' -%}
with

versions as (

    select
        {%- for name in key %}
        {{ name }},
        {%- endfor %}
        version,
        valid_from,
        valid_to,
        is_current,
        row_number() over ({{ by_version }}) as _expected_version,
        lead(valid_from) over ({{ by_version }}) as _next_valid_from,
        count(case when is_current then 1 end) over ({{ by_key }}) as _current_versions
    from {{ model }}

)

select *
from versions
where
    version <> _expected_version
    or _current_versions <> 1
    or is_current <> (valid_to is null)
    or valid_to is distinct from _next_valid_from
    or valid_to {{ '<' if allow_ties else '<=' }} valid_from
{% endtest %}
