{% macro cleanse_phone(expression, country) %}
    {{- return(adapter.dispatch('cleanse_phone')(
        expression=expression, country=country
    )) }}
{% endmacro %}

{% macro default__cleanse_phone(expression, country) %}
    {{- return(international_number(
        typed=typed_number(expression=expression), plan=phone_plan(country=country)
    )) }}
{% endmacro %}

{#- Otherwise Postgres would compute the typed number again at each use -#}
{% macro postgres__cleanse_phone(expression, country) %}
    {{- return(
        "(select " ~ international_number(typed='typed', plan='plan')
        ~ " from (select " ~ typed_number(expression=expression) ~ " as typed, "
        ~ phone_plan(country=country) ~ " as plan offset 0) as number)"
    ) }}
{% endmacro %}
