{% macro note_changes() %}
    {%- if execute and is_fact() and is_incremental() -%}
    {%- set news = run_query(
        "select table_id, done_seq, through_seq from "
        ~ environment_table('gold_claim') ~ " where model = '" ~ this.schema ~ "."
        ~ this.identifier ~ "' and through_seq > done_seq"
    ) -%}
    drop table if exists {{ changed_orders() }};

    create temporary table {{ changed_orders() }} as
    {% for table_id, done_seq, through_seq in news.rows %}
    select order_id
    from {{ ref('int_order_changes') }}
    where
        table_id = '{{ table_id }}'
        and _batch_seq > {{ done_seq }}
        and _batch_seq <= {{ through_seq }}

    union distinct
    {% endfor %}
    select order_id
    from {{ ref('int_order_changes') }}
    where false
    {%- endif -%}
{% endmacro %}
