{#-
    Only all capitals and all small letters are corrected: McDonald and de
    Gaulle stay.
-#}
{% macro cleanse_name(expression) %}
    {%- set name = squeeze(expression=expression) -%}
    {%- set capitals = namespace(name=initial_capitals(expression=name)) -%}
    {%- for word in [
        'Van', 'Von', 'Der', 'Den', 'De', 'Del', 'Della', 'Di', 'Da', 'Dos', 'Du',
        'La', 'Ter', 'Ten', 'Zu', 'Bin', 'Y',
    ] -%}
        {%- set capitals.name = "replace(" ~ capitals.name ~ ", ' " ~ word ~ " ', ' "
            ~ word | lower ~ " ')" -%}
    {%- endfor -%}
    {{- return(
        "nullif(case when " ~ expression ~ " in (upper(" ~ expression ~ "), lower("
        ~ expression ~ ")) then " ~ capitals.name ~ " else " ~ name ~ " end, '')"
    ) }}
{% endmacro %}
