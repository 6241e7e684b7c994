{% macro show_sql(macro) %}
    {{- print(context[macro]()) }}
{% endmacro %}
