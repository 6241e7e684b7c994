{% macro account_name(variable, default) %}
    {%- set name = env_var(variable, '') or default -%}
    {%- if not modules.re.fullmatch('[A-Za-z_][A-Za-z0-9_$]*', name) -%}
        {{ exceptions.raise_compiler_error(
            variable ~ " is '" ~ name ~ "'; it takes a name of letters, digits, _ and "
            ~ "$ that does not begin with a digit."
        ) }}
    {%- endif -%}
    {{- return(name) }}
{% endmacro %}
