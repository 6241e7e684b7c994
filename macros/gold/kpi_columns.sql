{% macro kpi_columns() -%}
currency,
cast(revenue as numeric(18, 2)) as revenue,
cast(order_count as bigint) as order_count,
{{ quotient(
    numerator='revenue', denominator='order_count', scale=2
) }} as average_order_value,
cast(customer_count as bigint) as customer_count,
cast(new_customer_count as bigint) as new_customer_count,
cast(
    customer_count - new_customer_count as bigint
) as returning_customer_count,
cast(refunded_amount as numeric(18, 2)) as refunded_amount,
{{ quotient(
    numerator='refunded_amount', denominator='revenue', scale=4
) }} as refund_rate,
cast(net_amount as numeric(18, 2)) as net_amount,
cast(margin_amount as numeric(18, 2)) as gross_margin,
{{ quotient(
    numerator='margin_amount', denominator='net_amount', scale=4
) }} as gross_margin_rate,
cast(due_customer_count as bigint) as due_customer_count,
cast(churned_customer_count as bigint) as churned_customer_count,
{{ quotient(
    numerator='churned_customer_count',
    denominator='due_customer_count',
    scale=4,
) }} as churn_rate
{%- endmacro %}
