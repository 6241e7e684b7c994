{% macro cleanse(expression, how, country=none) %}
    {%- if how == 'trim' -%}
        {{- return("trim(" ~ expression ~ ")") }}
    {%- elif how == 'lower' -%}
        {{- return("lower(trim(" ~ expression ~ "))") }}
    {%- elif how == 'upper' -%}
        {{- return("upper(trim(" ~ expression ~ "))") }}
    {%- elif how == 'email' -%}
        {{- return(cleanse_email(expression=expression)) }}
    {%- elif how == 'phone' -%}
        {{- return(cleanse_phone(expression=expression, country=country)) }}
    {%- elif how == 'name' -%}
        {{- return(cleanse_name(expression=expression)) }}
    {%- elif how == 'address' -%}
        {{- return(cleanse_address(expression=expression)) }}
    {%- endif -%}
    {{ exceptions.raise_compiler_error(
        model.name ~ ": cleanse '" ~ how ~ "' is not known; use one of trim, lower, "
        ~ "upper, email, phone, name, address"
    ) }}
{% endmacro %}
