{% macro environment_table(name) %}
    {{- return(adapter.dispatch('environment_table')(name=name)) }}
{% endmacro %}

{% macro default__environment_table(name) %}
    {{- return(audit_table(name)) }}
{% endmacro %}

{#- A user writes the tables of their own environment only -#}
{% macro postgres__environment_table(name) %}
    {{- return(
        adapter.quote(generate_schema_name('audit', none) | trim) ~ '.' ~ name
    ) }}
{% endmacro %}
