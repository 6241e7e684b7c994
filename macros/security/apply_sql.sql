{% macro apply_sql(macro) %}
    {%- do run_query(context[macro]()) -%}
    {{- log('applied ' ~ macro, info=true) }}
{% endmacro %}
