{% macro incremental(source, key, columns, append_only=false) %}
{%- do assert_columns(macro='incremental', columns=columns, key=key) %}
with
{{ claimed_rows(source=source, key=key, from_log=not append_only) }}
{{ latest_rows(source='placed', key=key, columns=columns) }}

select * from latest
{% endmacro %}
