{% macro incremental(source, key, columns, append_only=false) %}
    {{- assert_columns(macro='incremental', columns=columns, key=key) -}}
    {{- return(adapter.dispatch('incremental')(
        source=source, key=key, columns=columns, append_only=append_only
    )) }}
{% endmacro %}

{% macro default__incremental(source, key, columns, append_only) %}
with
{{ claimed_rows(source=source, key=key, from_log=not append_only) }}
{{ latest_rows(source='placed', key=key, columns=columns) }}

select * from latest
{% endmacro %}
