{#- Most numbers are plain ASCII, and skip the other scripts -#}
{% macro typed_number(expression) %}
    {%- set digits = '0123456789' -%}
    {%- set written = '＋０１２３４５６７８９٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹' -%}
    {%- set meant = '+' ~ digits ~ digits ~ digits -%}
    {#- Blanks, dashes, and invisible characters -#}
    {%- set between = '\u00a0\u00ad\u2009\u200b\u200e\u200f\u2010\u2011\u2012\u2013'
        ~ '\u2014\u2015\u202a\u202c\u202f\u2060\u2212\u3000\ufeff' -%}
    {%- set number -%}
    translate(
        replace(lower(
            case
                when octet_length({{ expression }}) = length({{ expression }})
                    then {{ expression }}
                else translate(
                    {{ expression }}, '{{ written ~ between }}', '{{ meant }}'
                )
            end
        ), '(0)', ''),
        '+ ()[]./-_{{ '\t\n\r' }}', '+'
    )
    {%- endset -%}
    {#- An extension, or text after a comma or semicolon, is not part of it -#}
    {{- return(replace_all(
        expression=number, pattern='^tel:|([,;#x]|ext).*$', replacement=''
    )) }}
{% endmacro %}
