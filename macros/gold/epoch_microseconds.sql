{% macro epoch_microseconds(instant) %}
    {{- return(adapter.dispatch('epoch_microseconds')(instant=instant)) }}
{% endmacro %}

{% macro default__epoch_microseconds(instant) -%}
    datediff(
        microsecond, cast('1970-01-01' as timestamp_ntz), {{ instant }}
    )
{%- endmacro %}

{% macro postgres__epoch_microseconds(instant) -%}
    cast(extract(epoch from {{ instant }}) * 1000000 as bigint)
{%- endmacro %}
