{% macro same_key(left, right, key) %}
    {{- return(adapter.dispatch('same_key')(left=left, right=right, key=key)) }}
{% endmacro %}

{% macro default__same_key(left, right, key) -%}
    {%- for name in key -%}
        {{ left }}.{{ name }} = {{ right }}.{{ name }}
        {%- if not loop.last %} and {% endif -%}
    {%- endfor -%}
{%- endmacro %}
