{% macro note_changes() %}
    {%- if execute and is_fact() and is_incremental() -%}
    {%- set news = run_query(
        "select table_id, done_seq, through_seq from "
        ~ environment_table('gold_claim') ~ " where model = '" ~ this.schema ~ "."
        ~ this.identifier ~ "' and through_seq > done_seq"
    ) -%}
    drop table if exists {{ changed_keys() }};

    create temporary table {{ changed_keys() }} as
    {{ changed_rows(
        key=config.get('unique_key'),
        news=news.rows,
        changes=ref('int_order_changes'),
        order_log=ref('stg_shop__orders'),
    ) }}
    {%- endif -%}
{% endmacro %}
