{% macro is_untested(key) %}
    {%- set tested = var('tested_through') -%}
    {%- if not execute or not tested -%}
        {{- return('true') -}}
    {%- endif -%}
    {#- Not by ref(): each test of a fact would depend on all of them -#}
    {%- set models = 'model.' ~ project_name ~ '.' -%}
    {%- set news = [] -%}
    {%- for table_id, through_seq in tested.items() -%}
        {%- do news.append([table_id, through_seq, none]) -%}
    {%- endfor -%}
    {%- set names = [] -%}
    {%- for column in key.split(', ') -%}
        {%- do names.append(column.split('.') | last) -%}
    {%- endfor -%}
    {{- return(
        '(' ~ key ~ ') in (' ~ changed_rows(
            key=names | join(', '),
            news=news,
            changes=graph.nodes[models ~ 'int_order_changes'].relation_name,
            order_log=graph.nodes[models ~ 'stg_shop__orders'].relation_name,
            order_items=graph.nodes[models ~ 'order_items'].relation_name,
            line_log=graph.nodes[models ~ 'stg_shop__order_items'].relation_name,
        ) ~ ')'
    ) }}
{% endmacro %}
