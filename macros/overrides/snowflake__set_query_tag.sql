{% macro snowflake__set_query_tag() %}
    {%- set tag = {
        'app': 'seedbed',
        'run_id': env_var('SEEDBED_RUN_ID', invocation_id),
        'model': model.name,
    } -%}
    {%- do run_query("alter session set query_tag = '" ~ tojson(tag) ~ "'") -%}
    {{- return(none) }}
{% endmacro %}
