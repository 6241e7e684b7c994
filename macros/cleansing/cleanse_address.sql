{#- Lines are parts, like the texts between commas; empty parts are removed -#}
{% macro cleanse_address(expression) %}
    {%- set one_line = replace_all(
        expression=expression, pattern='[\n\r]+', replacement=', '
    ) -%}
    {%- set parts = replace_all(
        expression=squeeze(expression=one_line),
        pattern=' ?(,[ ,]*)',
        replacement=', ',
    ) -%}
    {{- return("nullif(trim(" ~ parts ~ ", ', '), '')") }}
{% endmacro %}
