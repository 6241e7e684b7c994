{% macro replaced(key, changed, changed_key=none) %}
    {#- Only to tell dbt which model has to be built before -#}
    {%- if not execute -%}
        {%- do ref(changed) -%}
    {%- endif -%}
    {{- return({
        'replaced': {
            'key': key, 'changed': changed, 'changed_key': changed_key or key,
        }
    }) }}
{% endmacro %}
