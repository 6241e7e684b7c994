{% macro is_changed(key) %}
    {#- Only to tell dbt what claim_changes and note_changes read -#}
    {%- if not execute -%}
        {%- do ref('int_order_changes') -%}
        {%- do ref('products_history') -%}
        {%- do ref('stg_shop__orders') -%}
        {%- do ref('order_items') -%}
        {%- do ref('stg_shop__order_items') -%}
    {%- endif -%}
    {%- if is_incremental() -%}
        {{- return(
            '(' ~ key ~ ') in (select changed.'
            ~ fact_key().replace(', ', ', changed.')
            ~ ' from ' ~ changed_keys() ~ ' as changed)'
        ) }}
    {%- endif -%}
    {{- return('true') }}
{% endmacro %}
