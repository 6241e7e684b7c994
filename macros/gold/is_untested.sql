{% macro is_untested(key) %}
    {%- set tested = var('tested_through') -%}
    {%- if not execute or not tested -%}
        {{- return('true') -}}
    {%- endif -%}
    {#- Not by ref(): what a test looks at is to be told by its own SQL -#}
    {%- set found = [] -%}
    {%- for name in ['int_order_changes', 'stg_shop__orders'] -%}
        {%- do found.append(graph.nodes['model.seedbed.' ~ name].relation_name) -%}
    {%- endfor -%}
    {%- set news = [] -%}
    {%- for table_id, through_seq in tested.items() -%}
        {%- do news.append([table_id, through_seq, none]) -%}
    {%- endfor -%}
    {{- return(
        key ~ ' in (' ~ changed_rows(
            key=key.split('.') | last,
            news=news,
            changes=found[0],
            order_log=found[1],
        ) ~ ')'
    ) }}
{% endmacro %}
