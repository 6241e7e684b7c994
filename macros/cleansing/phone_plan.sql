{% macro phone_plan(country) %}
    {{- return(adapter.dispatch('phone_plan')(country=country)) }}
{% endmacro %}

{#- An unknown country has a code that gives no number -#}
{% macro default__phone_plan(country) %}
    {%- set plans = phone_plans() -%}
    {%- if country in plans -%}
        {{- return("'" ~ plans[country] ~ "'") }}
    {%- endif -%}
    {%- set records = [] -%}
    {%- for name, plan in plans.items() -%}
        {%- do records.append('=' ~ name ~ '|' ~ plan) -%}
    {%- endfor -%}
    {%- set text = "'   ?    ?   " ~ records | join ~ "'" -%}
    {{- return(
        "substr(" ~ text ~ ", position('=' || upper(trim(" ~ country ~ ")) || '|' in "
        ~ text ~ ") + 4, 9)"
    ) }}
{% endmacro %}

{#- A key of jsonb is looked up, a text is searched from its beginning -#}
{% macro postgres__phone_plan(country) %}
    {%- set plans = phone_plans() -%}
    {%- if country in plans -%}
        {{- return("'" ~ plans[country] ~ "'") }}
    {%- endif -%}
    {{- return(
        "coalesce(cast('" ~ tojson(plans) ~ "' as jsonb) ->> upper(trim(" ~ country
        ~ ")), '?    ?')"
    ) }}
{% endmacro %}
