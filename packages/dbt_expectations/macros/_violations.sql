{#- The rows (or groups) of which `expression` is false; unknown is no violation. -#}
{% macro _violations(model, expression, row_condition=none, group_by=none) %}
{%- set group_by = group_by or [] -%}
with judged as (
    select
        {% for column in group_by %}
        {{ column }} as col_{{ loop.index }},
        {% endfor %}
        ({{ expression }}) as expression
    from {{ model }}
    {% if row_condition %}
    where {{ row_condition }}
    {% endif %}
    {% if group_by %}
    group by {{ group_by | join(', ') }}
    {% endif %}
)

select *
from judged
where not expression
{% endmacro %}
