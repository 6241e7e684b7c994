{% macro is_untested(key) %}
    {%- set tested = var('tested_through') -%}
    {%- if not execute or not tested -%}
        {{- return('true') -}}
    {%- endif -%}
    {#- Not by ref(): each test of a fact would depend on both -#}
    {%- set models = 'model.' ~ project_name ~ '.' -%}
    {%- set news = [] -%}
    {%- for table_id, through_seq in tested.items() -%}
        {%- do news.append([table_id, through_seq, none]) -%}
    {%- endfor -%}
    {{- return(
        key ~ ' in (' ~ changed_rows(
            key=key.split('.') | last,
            news=news,
            changes=graph.nodes[models ~ 'int_order_changes'].relation_name,
            order_log=graph.nodes[models ~ 'stg_shop__orders'].relation_name,
        ) ~ ')'
    ) }}
{% endmacro %}
