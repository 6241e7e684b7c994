{#- A condition: `regex` is found in the column. -#}
{% macro _matches(column_name, regex, is_raw, flags) %}
    {{- return(adapter.dispatch('_matches', 'dbt_expectations')(
        column_name, regex, is_raw, flags
    )) -}}
{% endmacro %}


{#- False for NULL. A raw string is written like any other. -#}
{% macro postgres___matches(column_name, regex, is_raw, flags) -%}
    exists (select 1 from regexp_matches({{ column_name }}, '{{ regex }}', '{{ flags }}'))
{%- endmacro %}


{#- NULL for NULL. A raw string stands between dollar signs. -#}
{% macro snowflake___matches(column_name, regex, is_raw, flags) -%}
    {%- set quote = '$$' if is_raw else "'" -%}
    {%- set rest = ", 1, 1, 0, '" ~ flags ~ "'" if flags else '' -%}
    regexp_instr({{ column_name }}, {{ quote ~ regex ~ quote }}{{ rest }}) > 0
{%- endmacro %}
