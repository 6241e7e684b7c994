{% macro definition() %}
    {{- return(local_md5(model.raw_code ~ model.contract.checksum)) }}
{% endmacro %}
