{% macro is_fact() %}
    {{- return(config.get('incremental_strategy') == 'replace_changed') }}
{% endmacro %}
