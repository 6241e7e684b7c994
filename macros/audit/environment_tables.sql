{% macro environment_tables(layers) %}
    {{- return(adapter.dispatch('environment_tables')(layers=layers)) }}
{% endmacro %}

{% macro default__environment_tables(layers) %}
    {{- return('') }}
{% endmacro %}

{#- Rows that were stored with production's move to their environment -#}
{% macro postgres__environment_tables(layers) %}
    {%- set schema = generate_schema_name('audit', none) | trim -%}
    {%- set sql = [] -%}
    {%- for name in ['model_claim', 'gold_claim'] if schema != 'audit' -%}
        {%- set table = environment_table(name) -%}
        {%- do sql.append(
            "if to_regclass('" ~ table ~ "') is null then\n"
            ~ "        create schema if not exists " ~ adapter.quote(schema) ~ ";\n"
            ~ "        create table " ~ table ~ " (like "
            ~ audit_table(name) ~ " including all);\n"
            ~ "        insert into " ~ table ~ " select * from "
            ~ audit_table(name) ~ " where split_part(model, '.', 1) in ('"
            ~ layers | join("', '") ~ "');\n"
            ~ "    end if;"
        ) -%}
    {%- endfor -%}
    {%- if sql -%}
        {{- return(
            'do $tables$\nbegin\n    ' ~ sql | join('\n    ') ~ '\nend\n$tables$;'
        ) }}
    {%- endif -%}
    {{- return('') }}
{% endmacro %}
