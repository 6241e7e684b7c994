{#-
    Each warehouse has its own rules for the digits of a quotient of decimals,
    and rounds to them first. Here the division leaves no remainder, so it loses
    no digits; then the remainder decides whether to round up.
-#}
{% macro quotient(numerator, denominator, scale) -%}
{%- set units -%}
({{ numerator }}) * cast({{ 10 ** scale }} as numeric(38, 0))
{%- endset -%}
{%- set remainder -%}
mod({{ units }}, nullif({{ denominator }}, 0))
{%- endset -%}
cast(
    (
        cast(
            ({{ units }} - {{ remainder }}) / nullif({{ denominator }}, 0)
            as numeric(38, 0)
        )
        + case
            when 2 * abs({{ remainder }}) < abs({{ denominator }}) then 0
            when ({{ numerator }} < 0) = ({{ denominator }} < 0) then 1
            else -1
        end
    ) * {{ '0.' ~ '0' * (scale - 1) ~ '1' }} as numeric(18, {{ scale }})
)
{%- endmacro %}
