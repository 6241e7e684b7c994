{% macro cleanse_phone(expression, country) %}
    {{- return(adapter.dispatch('cleanse_phone')(
        expression=expression, country=country
    )) }}
{% endmacro %}

{#-
    A number begins with +, or with what is dialled to leave the country, or with
    nothing or the trunk prefix inside it. What is no number in the end is NULL.
-#}
{% macro default__cleanse_phone(expression, country) %}
    {%- set digits = '0123456789' -%}
    {%- set written = '+０１２３４５６７８９٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹' -%}
    {%- set meant = '+' ~ digits ~ digits ~ digits -%}
    {#- Blanks, dashes, and characters nobody sees -#}
    {%- set between = ' ()[]./-_\t\n\r\u00a0\u00ad\u2009\u200b\u200e\u200f\u2010'
        ~ '\u2011\u2012\u2013\u2014\u2015\u202a\u202c\u202f\u2060\u2212\u3000'
        ~ '\ufeff' -%}
    {%- set number = "translate(replace(lower(" ~ expression ~ "), '(0)', ''), '＋"
        ~ written[1:] ~ between ~ "', '" ~ meant ~ "')" -%}
    {#- An extension, or what follows a comma or semicolon, is no part of it -#}
    {%- set number = replace_all(
        expression=number, pattern='^tel:|([,;#x]|ext).*$', replacement=''
    ) -%}
    {%- set plan = phone_plan(country=country) -%}
    {%- set national = plan.code ~ " || regexp_replace(" ~ number ~ ", '^' || "
        ~ plan.trunk ~ ", '')" -%}
    {%- set full = "case when " ~ number ~ " like '+%' then " ~ number
        ~ " when " ~ number ~ " like " ~ plan.international ~ " || '%' then '+' || "
        ~ "substr(" ~ number ~ ", length(" ~ plan.international ~ ") + 1)"
        ~ " when " ~ number ~ " like '00%' then '+' || substr(" ~ number ~ ", 3)"
        ~ " else '+' || " ~ national ~ " end" -%}
    {#- North America's and Russia's have one length; the others 8 to 15 digits -#}
    {{- return(matching(
        expression=full,
        pattern='^[+](1[2-9][0-9]{9}|7[0-9]{10}|[2-689][0-9]{7,14})$',
    )) }}
{% endmacro %}
