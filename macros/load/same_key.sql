{% macro same_key(left, right, key) -%}
    {%- for name in key -%}
        {{ left }}.{{ name }} = {{ right }}.{{ name }}
        {%- if not loop.last %} and {% endif -%}
    {%- endfor -%}
{%- endmacro %}
