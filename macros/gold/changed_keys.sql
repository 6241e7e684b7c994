{% macro changed_keys() %}
    {{- return(adapter.dispatch('changed_keys')()) }}
{% endmacro %}

{% macro default__changed_keys() %}
    {{- return(this.incorporate(
        path={'identifier': this.identifier ~ '__changed'}
    )) }}
{% endmacro %}

{#- Temporary tables are in no schema there -#}
{% macro postgres__changed_keys() %}
    {{- return(
        default__changed_keys().include(database=false, schema=false)
    ) }}
{% endmacro %}
