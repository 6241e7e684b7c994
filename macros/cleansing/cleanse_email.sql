{#- `Ada <mailto:ada@example.org>;` is ada@example.org -#}
{% macro cleanse_email(expression) %}
    {%- set around = '^([^<>]*<|mailto:)+|[>.,;]+$' -%}
    {%- set address = replace_all(
        expression="lower(" ~ squeeze(expression=expression) ~ ")",
        pattern=around,
        replacement='',
    ) -%}
    {{- return("nullif(trim(" ~ address ~ "), '')") }}
{% endmacro %}
