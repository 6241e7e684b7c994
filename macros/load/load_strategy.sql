{% macro load_strategy(load_type) %}
    {{- return(adapter.dispatch('load_strategy')(load_type=load_type)) }}
{% endmacro %}

{#-
    The names are dbt's, or stand for a `get_incremental_<name>_sql` that is
    dispatched, so both warehouses share them.
-#}
{% macro default__load_strategy(load_type) %}
    {%- set strategies = {
        'full': 'append',
        'incremental': 'merge',
        'scd1': 'merge',
        'scd2': 'replace_versions',
        'cdc': 'replace_versions',
    } -%}
    {%- if load_type not in strategies -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ ": load_strategy was called with load_type='" ~ load_type
            ~ "', which it does not know. Write one of: "
            ~ strategies | join(', ') ~ "."
        ) }}
    {%- endif -%}
    {{- return(strategies[load_type]) }}
{% endmacro %}

{#- A pre-hook commits by itself there: the rows that it deletes would be missed -#}
{% macro snowflake__load_strategy(load_type) %}
    {{- return(
        'replace_snapshot' if load_type == 'full'
        else default__load_strategy(load_type)
    ) }}
{% endmacro %}
