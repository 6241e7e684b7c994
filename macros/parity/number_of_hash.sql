{% macro number_of_hash(hash) %}
    {{- return(adapter.dispatch('number_of_hash')(hash=hash)) }}
{% endmacro %}

{% macro postgres__number_of_hash(hash) -%}
    cast(cast(('x' || substr({{ hash }}, 1, 8)) as bit(32)) as bigint)
{%- endmacro %}

{% macro snowflake__number_of_hash(hash) -%}
    to_number(substr({{ hash }}, 1, 8), 'XXXXXXXX')
{%- endmacro %}
