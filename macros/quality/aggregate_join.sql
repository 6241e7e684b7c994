{#- A deleted row is not part of the aggregate, but its deletion changes it -#}
{% macro aggregate_join(rule, name) -%}
    left join (
        select
            {%- for column in rule.by %}
            {{ column }} as {{ name }}_by_{{ loop.index }},
            {%- endfor %}
            {{ rule.function }}(
                case when not is_deleted then {{ rule.field }} end
            ) as {{ name }},
            max(_source_ts) as {{ name }}_changed_at
        from {{ rule.parent }}
        {%- if rule.by %}
        group by {{ rule.by | join(', ') }}
        {%- endif %}
    ) as {{ name }}_of
        on {% for column in rule.key -%}
            {{ column }} = {{ name }}_by_{{ loop.index }}
            {{- ' and ' if not loop.last }}
        {%- else -%}
            true
        {%- endfor %}
{%- endmacro %}
