{#-
    Blanks of other scripts and of web pages are blanks; zero-width characters
    are removed
-#}
{% macro squeeze(expression) %}
    {%- set blanks = '\t\n\r\u000b\u000c\u00a0\u2002\u2003\u2009\u202f\u3000' -%}
    {%- set unseen = '\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff' -%}
    {%- set spaced = "translate(" ~ expression ~ ", '" ~ blanks ~ unseen ~ "', '"
        ~ ' ' * (blanks | length) ~ "')" -%}
    {{- return("trim(" ~ replace_all(
        expression=spaced, pattern=' +', replacement=' '
    ) ~ ")") }}
{% endmacro %}
