{% macro role_name(role) %}
    {%- set prefix = env_var('SEEDBED_ROLES', '') or 'seedbed' -%}
    {%- if not modules.re.fullmatch('[a-z][a-z0-9_]{0,39}', prefix) -%}
        {{ exceptions.raise_compiler_error(
            "SEEDBED_ROLES is '" ~ prefix ~ "': it is the beginning of the roles' "
            ~ "names, a lower-case letter, then lower-case letters, digits and _, 40 "
            ~ "characters at most."
        ) }}
    {%- endif -%}
    {{- return(prefix ~ '_' ~ role) }}
{% endmacro %}
