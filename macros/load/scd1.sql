{% macro scd1(source, key, columns) %}
    {{- assert_columns(macro='scd1', columns=columns, key=key) -}}
    {{- return(adapter.dispatch('scd1')(
        source=source, key=key, columns=columns
    )) }}
{% endmacro %}

{% macro default__scd1(source, key, columns) %}
with
{{ claimed_rows(source=source, key=key) }}
{{ latest_rows(source='placed', key=key, columns=columns) }}

select * from latest
{% endmacro %}
