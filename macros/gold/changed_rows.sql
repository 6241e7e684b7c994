{% macro changed_rows(key, news, changes, order_log) %}
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
    {% if key == 'order_id' %}
    select order_id
    from orders
    {% else %}
    -- The log has what an order was with before as well.
    select distinct order_log.{{ key }}
    from orders
    inner join {{ order_log }} as order_log
        on orders.order_id = order_log.order_id
    {% endif %}
{% endmacro %}
