{% macro cleanse(expression, how) %}
    {{- return(adapter.dispatch('cleanse')(expression=expression, how=how)) }}
{% endmacro %}

{% macro default__cleanse(expression, how) %}
    {%- set ways = {
        'trim': "trim(" ~ expression ~ ")",
        'lower': "lower(trim(" ~ expression ~ "))",
        'upper': "upper(trim(" ~ expression ~ "))",
        'email': "nullif(lower(trim(" ~ expression ~ ")), '')",
    } -%}
    {%- if how not in ways -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ ": cleanse '" ~ how ~ "' is not known; use one of "
            ~ ways.keys() | join(', ')
        ) }}
    {%- endif -%}
    {{- return(ways[how]) }}
{% endmacro %}
