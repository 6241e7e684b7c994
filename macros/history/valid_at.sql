{#- Inclusive at the start, exclusive at the end: one version per instant -#}
{% macro valid_at(versions, instant, first_reaches_back=false) -%}
    (
        {%- if first_reaches_back %}
        (
            {{ versions }}.valid_from <= {{ instant }}
            or ({{ versions }}.version = 1 and {{ instant }} is not null)
        )
        {%- else %}
        {{ versions }}.valid_from <= {{ instant }}
        {%- endif %}
        and (
            {{ versions }}.valid_to > {{ instant }}
            or {{ versions }}.valid_to is null
        )
    )
{%- endmacro %}
