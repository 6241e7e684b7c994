{% macro show_sql(macro, arguments={}) %}
    {{- print(context[macro](**arguments)) }}
{% endmacro %}
