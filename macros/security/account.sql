{% macro account() %}
    {{- return(adapter.dispatch('account')()) }}
{% endmacro %}

{% macro postgres__account() %}
    {{ exceptions.raise_compiler_error(
        "account sets up a Snowflake account; on Postgres roles and rights "
        ~ "are made by each build (`./seedbed security plan` prints them)."
    ) }}
{% endmacro %}

{% macro default__account() %}
    {%- set sql -%}
{{ account_warehouses() }}

{{ account_roles() }}

{{ account_policies() }}
    {%- endset -%}
    {{- return(sql) }}
{% endmacro %}
