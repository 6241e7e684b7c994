{% macro changed_orders() %}
    {{- return(adapter.dispatch('changed_orders')()) }}
{% endmacro %}

{% macro default__changed_orders() %}
    {{- return(this.incorporate(
        path={'identifier': this.identifier ~ '__changed'}
    )) }}
{% endmacro %}

{#- Temporary tables are in no schema there -#}
{% macro postgres__changed_orders() %}
    {{- return(
        default__changed_orders().include(database=false, schema=false)
    ) }}
{% endmacro %}
