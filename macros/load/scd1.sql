{% macro scd1(source, key, columns) %}
{%- do assert_columns(macro='scd1', columns=columns, key=key) %}
with
{{ claimed_rows(source=source, key=key) }}
{{ latest_rows(source='placed', key=key, columns=columns) }}

select * from latest
{% endmacro %}
