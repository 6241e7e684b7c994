{% macro as_of(history, at, columns=none, include_deleted=false) -%}
    {%- set instant = 'cast(' ~ at ~ ' as ' ~ warehouse_type('timestamp') ~ ')' -%}
    select
        {%- for column in columns or ['*'] %}
        versions.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ history }} as versions
    where
        {{ valid_at(versions='versions', instant=instant) | indent(4) }}
        {%- if not include_deleted %}
        and not versions.is_deleted
        {%- endif %}
{%- endmacro %}
