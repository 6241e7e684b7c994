{% macro text_of_value(column, type) %}
    {%- if type == 'date' -%}
        {{ return("to_char(" ~ column ~ ", 'YYYY-MM-DD')") }}
    {%- elif type == 'double precision' -%}
        {{ return(text_of_value__double(column)) }}
    {%- endif -%}
    {{- return(adapter.dispatch('text_of_value')(column=column, type=type)) }}
{% endmacro %}

{% macro postgres__text_of_value(column, type) %}
    {%- if type in (
        'timestamp without time zone', 'timestamp with time zone',
        'time without time zone', 'interval'
    ) -%}
        cast(cast(extract(epoch from {{ column }}) * 1000000 as bigint) as text)
    {%- elif type == 'bytea' -%}
        encode({{ column }}, 'hex')
    {%- elif type == 'jsonb' -%}
        audit.json_text({{ column }})
    {%- else -%}
        cast({{ column }} as text)
    {%- endif -%}
{% endmacro %}

{% macro snowflake__text_of_value(column, type) %}
    {%- set starts = {
        'timestamp without time zone': "cast('1970-01-01' as timestamp_ntz)",
        'timestamp with time zone':
            "cast('1970-01-01 00:00:00 +0000' as timestamp_tz)",
        'time without time zone': "cast('00:00:00' as time)",
    } -%}
    {%- if type in starts -%}
        cast(datediff(microsecond, {{ starts[type] }}, {{ column }}) as varchar)
    {%- elif type == 'interval' -%}
        {#- A text there: [-]hours:minutes:seconds -#}
        cast(cast(
            case when {{ column }} like '-%' then -1 else 1 end * (
                cast(split_part(replace({{ column }}, '-', ''), ':', 1) as integer) * 3600
                + cast(split_part({{ column }}, ':', 2) as integer) * 60
                + cast(split_part({{ column }}, ':', 3) as numeric(12, 6))
            ) * 1000000
        as bigint) as varchar)
    {%- elif type == 'bytea' -%}
        lower(hex_encode({{ column }}))
    {%- elif type == 'jsonb' -%}
        to_json({{ column }})
    {%- else -%}
        cast({{ column }} as varchar)
    {%- endif -%}
{% endmacro %}

{#- About twelve digits: the two write a double's last ones differently -#}
{% macro text_of_value__double(column) -%}
    case
        when abs({{ column }}) < 1000000
            then cast(
                cast(round(cast({{ column }} as numeric(38, 9)), 6) as numeric(38, 6))
                as varchar(60)
            )
        else concat(
            sign({{ column }}),
            ' ',
            cast(
                round(cast(ln(abs({{ column }})) as numeric(38, 9)), 6) as varchar(60)
            )
        )
    end
{%- endmacro %}
