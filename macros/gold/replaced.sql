{% macro replaced(key, changed, changed_key=none) %}
    {#- Only so that dbt builds that model first -#}
    {%- if not execute -%}
        {%- do ref(changed) -%}
    {%- endif -%}
    {{- return({
        'replaced': {
            'key': key, 'changed': changed, 'changed_key': changed_key or key,
        }
    }) }}
{% endmacro %}
