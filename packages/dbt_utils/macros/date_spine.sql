{% macro date_spine(datepart, start_date, end_date) %}
    {{- return(adapter.dispatch('date_spine', 'dbt_utils')(
        datepart, start_date, end_date
    )) -}}
{% endmacro %}


{% macro default__date_spine(datepart, start_date, end_date) %}
{#- The number of periods shapes the SQL, so it is asked for beforehand. -#}
{%- set periods = 1 -%}
{%- if execute -%}
    {%- set question = 'select ' ~ dbt.datediff(start_date, end_date, datepart) -%}
    {%- set periods = run_query(question).rows[0][0] | int -%}
{%- endif -%}
{%- if periods < 1 -%}
    {%- do exceptions.raise_compiler_error(
        'date_spine: there is no whole ' ~ datepart ~ ' between start_date '
        ~ start_date ~ ' and end_date ' ~ end_date
        ~ '; the end must be later than the start.'
    ) -%}
{%- endif -%}
{%- set places = (periods - 1) | string | length -%}

with digits as (
    {% for digit in range(10) %}
    select {{ digit }} as digit {{- ' union all' if not loop.last }}
    {% endfor %}
),

steps as (
    select
        {% for place in range(places) %}
        {{ '+ ' if place }}d{{ place }}.digit * {{ 10 ** place }}
        {% endfor %} as step
    from digits as d0
    {% for place in range(1, places) %}
    cross join digits as d{{ place }}
    {% endfor %}
),

spine as (
    select {{ dbt.dateadd(datepart, 'step', start_date) }} as date_{{ datepart }}
    from steps
    where step < {{ periods }}
)

select date_{{ datepart }}
from spine
where date_{{ datepart }} <= {{ end_date }}
{% endmacro %}
