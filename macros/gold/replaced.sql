{% macro replaced(key, changed, changed_key=none) %}
    {{- return(adapter.dispatch('replaced')(
        key=key, changed=changed, changed_key=changed_key or key
    )) }}
{% endmacro %}

{% macro default__replaced(key, changed, changed_key) %}
    {#- Tells dbt that the model is built after the one that says what changed -#}
    {%- do ref(changed) -%}
    {{- return({
        'replaced': {'key': key, 'changed': changed, 'changed_key': changed_key}
    }) }}
{% endmacro %}
