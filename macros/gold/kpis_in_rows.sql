{% macro kpis_in_rows(wide, period) %}
{%- set kpis = [
    'revenue', 'order_count', 'average_order_value', 'customer_count',
    'new_customer_count', 'returning_customer_count', 'refunded_amount',
    'refund_rate', 'net_amount', 'gross_margin', 'gross_margin_rate',
    'due_customer_count', 'churned_customer_count', 'churn_rate',
] -%}
with

wide as (

    select * from {{ wide }}

),

final as (
    {% for kpi in kpis %}
    select
        {{ period }},
        currency,
        cast('{{ kpi }}' as varchar(30)) as kpi,
        cast({{ kpi }} as numeric(18, 4)) as kpi_value
    from wide
    where {{ kpi }} is not null
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
)

select * from final
{% endmacro %}
