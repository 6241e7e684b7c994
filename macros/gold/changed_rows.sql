{% macro changed_rows(key, news, changes, order_log, order_items, line_log) %}
    {#- The logs have what an order or a line was with before as well -#}
    {%- set columns = {
        'order_id': 'orders.order_id',
        'customer_id': 'order_log.customer_id',
        'product_id': 'line_log.product_id',
        'sales_date': 'cast(order_log.ordered_at as date)',
        'month_start':
            "cast(date_trunc('month', order_log.ordered_at) as date)",
    } -%}
    {%- set names = key.split(', ') -%}
    with

    orders as (

        {% for table_id, after_seq, through_seq in news %}
        select order_id
        from {{ changes }}
        where
            table_id = '{{ table_id }}'
            and _batch_seq > {{ after_seq }}
            {%- if through_seq is not none %}
            and _batch_seq <= {{ through_seq }}
            {%- endif %}

        union distinct
        {% endfor %}
        select order_id
        from {{ changes }}
        where false

    )

    select distinct
        {%- for name in names %}
        {{ columns[name] }} as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from orders
    {%- if 'product_id' in names %}
    inner join {{ order_items }} as order_items
        on orders.order_id = order_items.order_id
    inner join {{ line_log }} as line_log
        on order_items.order_item_id = line_log.order_item_id
    inner join {{ order_log }} as order_log
        on line_log.order_id = order_log.order_id
    {%- elif names != ['order_id'] %}
    inner join {{ order_log }} as order_log
        on orders.order_id = order_log.order_id
    {%- endif %}
{% endmacro %}
