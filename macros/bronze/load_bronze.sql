{% macro load_bronze(lake, run_id, tables) %}
    {{- return(adapter.dispatch('load_bronze')(
        lake=lake, run_id=run_id, tables=tables
    )) }}
{% endmacro %}

{% macro default__load_bronze(lake, run_id, tables) %}
    {{ exceptions.raise_compiler_error(
        "load_bronze loads the logs of a warehouse that copies from the lake by "
        ~ "itself; on " ~ target.type ~ " `./seedbed load` does that."
    ) }}
{% endmacro %}

{% macro snowflake__load_bronze(lake, run_id, tables) %}
    {%- do use_warehouse(purpose='load') -%}
    {%- do prepare_bronze(lake=lake) -%}
    {%- for table in tables -%}
        {%- set relation = bronze_table(
            identifier=table.log, columns=table.columns
        ) -%}
        {%- do copy_batches(relation=relation, run_id=run_id, table=table) -%}
        {%- do log(
            'bronze: ' ~ table.table_id ~ ' is at batch ' ~ table.released_through
        ) -%}
    {%- endfor -%}
{% endmacro %}
