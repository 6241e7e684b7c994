{% macro definition() %}
    {{- return(adapter.dispatch('definition')()) }}
{% endmacro %}

{% macro default__definition() %}
    {{- return(local_md5(model.raw_code ~ model.contract.checksum)) }}
{% endmacro %}
