{% macro audit_table(name) %}
    {{- return(adapter.dispatch('audit_table')(name)) }}
{% endmacro %}

{% macro default__audit_table(name) %}
    {{- return(target.database ~ '.audit.' ~ name) }}
{% endmacro %}

{% macro postgres__audit_table(name) %}
    {{- return('audit.' ~ name) }}
{% endmacro %}
