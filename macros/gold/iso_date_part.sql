{% macro iso_date_part(part, date) %}
    {{- return(adapter.dispatch('iso_date_part')(part=part, date=date)) }}
{% endmacro %}

{% macro default__iso_date_part(part, date) -%}
    {%- set functions = {
        'year': 'yearofweekiso', 'week': 'weekiso', 'weekday': 'dayofweekiso',
    } -%}
    cast({{ functions[part] }}({{ date }}) as integer)
{%- endmacro %}

{% macro postgres__iso_date_part(part, date) -%}
    {%- set fields = {
        'year': 'isoyear', 'week': 'week', 'weekday': 'isodow',
    } -%}
    cast(extract({{ fields[part] }} from {{ date }}) as integer)
{%- endmacro %}
