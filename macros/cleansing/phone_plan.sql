{% macro phone_plan(country) %}
    {{- return(adapter.dispatch('phone_plan')(country=country)) }}
{% endmacro %}

{#-
    For the country of a column the plans are one text, and a plan is found in it by
    its place: a join would hide the log's index from those who read the view. An
    unknown country is at place 0, with a code that makes no number.
-#}
{% macro default__phone_plan(country) %}
    {%- set plans = phone_plans() -%}
    {%- if country in plans -%}
        {%- set plan = plans[country] -%}
        {{- return({
            'code': "'" ~ plan.code ~ "'",
            'trunk': "'" ~ plan.trunk ~ "'",
            'international': "'" ~ plan.international ~ "'",
        }) }}
    {%- endif -%}
    {%- set records = [] -%}
    {%- for name, plan in plans.items() -%}
        {%- do records.append('=%s|%-3s%-2s%-4s' | format(
            name, plan.code, plan.trunk, plan.international
        )) -%}
    {%- endfor -%}
    {%- set text = "'   ?    ?   " ~ records | join ~ "'" -%}
    {%- set place = "position('=' || upper(trim(" ~ country ~ ")) || '|' in "
        ~ text ~ ")" -%}
    {%- set field = "rtrim(substr(" ~ text ~ ", " ~ place ~ " + %s, %s))" -%}
    {{- return({
        'code': field | format(4, 3),
        'trunk': field | format(7, 2),
        'international': field | format(9, 4),
    }) }}
{% endmacro %}
