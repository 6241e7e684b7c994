{% macro is_changed(key) %}
    {#- Only to tell dbt what claim_changes and note_changes read -#}
    {%- if not execute -%}
        {%- do ref('int_order_changes') -%}
        {%- do ref('products_history') -%}
    {%- endif -%}
    {%- if is_incremental() -%}
        {{- return(
            key ~ ' in (select changed.order_id from ' ~ changed_orders()
            ~ ' as changed)'
        ) }}
    {%- endif -%}
    {{- return('true') }}
{% endmacro %}
