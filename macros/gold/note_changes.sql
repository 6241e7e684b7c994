{% macro note_changes() %}
    {{- return(adapter.dispatch('note_changes')()) }}
{% endmacro %}

{% macro default__note_changes() %}
    {%- if execute and is_fact() and is_incremental() -%}
    {%- set news = run_query(
        "select table_id, done_seq, through_seq from "
        ~ environment_table('gold_claim') ~ " where model = '" ~ this.schema ~ "."
        ~ this.identifier ~ "' and through_seq > done_seq"
    ) -%}
    drop table if exists {{ changed_keys() }};

    create temporary table {{ changed_keys() }} as
    {{ changed_rows(
        key=fact_key(),
        news=news.rows,
        changes=ref('int_order_changes'),
        order_log=ref('stg_shop__orders'),
        order_items=ref('order_items'),
        line_log=ref('stg_shop__order_items'),
    ) }}
    {%- endif -%}
{% endmacro %}

{#- Of a table without statistics Postgres expects 2,000 rows, not one -#}
{% macro postgres__note_changes() %}
    {%- set statements = default__note_changes() -%}
    {%- if statements | trim -%}
    {{ statements }};

    analyze {{ changed_keys() }}
    {%- endif -%}
{% endmacro %}
