{#- The same rule as that of ingest/seed/types.py, which widens the logs -#}
{% macro widens(old, new) %}
    {%- set sized = '(varchar|numeric|number)[(]([0-9]+)(?:,([0-9]+))?[)]' -%}
    {%- set was = modules.re.fullmatch(sized, old) -%}
    {%- set now = modules.re.fullmatch(sized, new) -%}
    {%- if old == 'integer' and new == 'bigint' -%}
        {{ return(true) }}
    {%- elif not was -%}
        {{ return(false) }}
    {%- elif was.group(1) == 'varchar' and new == 'text' -%}
        {{ return(true) }}
    {%- elif not now -%}
        {{ return(false) }}
    {%- endif -%}
    {{ return(
        was.group(1) == now.group(1)
        and was.group(3) == now.group(3)
        and was.group(2) | int <= now.group(2) | int
    ) }}
{% endmacro %}
