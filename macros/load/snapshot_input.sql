{% macro snapshot_input(source, key, columns) %}
    {{- assert_columns(macro='snapshot_input', columns=columns, key=key) -}}
    {{- return(adapter.dispatch('snapshot_input')(
        source=source, key=key, columns=columns
    )) }}
{% endmacro %}

{% macro default__snapshot_input(source, key, columns) %}
with

placed as (

    {{ placed_rows(source=source, key=key) }}

),

{{ latest_rows(source='placed', key=key, columns=columns) }}

select * from latest
{% endmacro %}
