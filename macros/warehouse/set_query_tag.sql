{% macro set_query_tag() %}
    {{- return(adapter.dispatch('set_query_tag', 'dbt')()) }}
{% endmacro %}

{#- Postgres tells no query apart -#}
{% macro default__set_query_tag() %}
{% endmacro %}

{#- Each node sets its own, so none has to be restored -#}
{% macro snowflake__set_query_tag() %}
    {%- set tag = {
        'app': 'seedbed',
        'run_id': env_var('SEEDBED_RUN_ID', invocation_id),
        'model': model.name,
    } -%}
    {%- do run_query("alter session set query_tag = '" ~ tojson(tag) ~ "'") -%}
    {{- return(none) }}
{% endmacro %}
