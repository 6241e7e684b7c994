{#- A condition: `expression` lies within the bounds that were given. -#}
{% macro _within(expression, min_value, max_value, strictly) %}
    {%- set or_equal = '' if strictly else '=' -%}
    {%- set bounds = [] -%}
    {%- if min_value is not none -%}
        {%- do bounds.append(expression ~ ' >' ~ or_equal ~ ' ' ~ min_value) -%}
    {%- endif -%}
    {%- if max_value is not none -%}
        {%- do bounds.append(expression ~ ' <' ~ or_equal ~ ' ' ~ max_value) -%}
    {%- endif -%}
    {%- if not bounds -%}
        {%- do exceptions.raise_compiler_error(
            'A test that expects values between bounds needs min_value, '
            ~ 'max_value or both.'
        ) -%}
    {%- endif -%}
    {{- return(bounds | join(' and ')) -}}
{% endmacro %}
