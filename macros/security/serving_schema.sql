{% macro serving_schema() %}
    {{- return(generate_schema_name('serving', none) | trim) }}
{% endmacro %}
