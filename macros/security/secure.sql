{% macro secure() %}
    {%- if execute -%}
        {{- return(adapter.dispatch('secure')()) }}
    {%- endif -%}
    {{- return('') }}
{% endmacro %}

{#- On Snowflake an administrator does it: `./seedbed snowflake apply`. -#}
{% macro default__secure() %}
    {{- return('') }}
{% endmacro %}

{#-
    Before anything is built: roles and their rights, the rows that each may
    see, and the views of existing models. So a column that has become personal
    data in the seed is masked at once, whether its model is built now or not.
    Nothing that is right already is touched, so that no one waits for a lock.
-#}
{% macro postgres__secure() %}
    {%- set layers = [] -%}
    {%- for layer in [
        'staging', 'silver', 'gold', 'quality', 'metadata', 'audit'
    ] -%}
        {%- do layers.append(generate_schema_name(layer, none) | trim) -%}
    {%- endfor -%}
    {%- set columns_of = {} -%}
    {%- for row in run_query(
        "select relnamespace::regnamespace::text, relname, "
        ~ "string_agg(attname, '|') from pg_class "
        ~ "inner join pg_attribute on attrelid = pg_class.oid "
        ~ "where relnamespace::regnamespace::text in ('" ~ layers | join("', '")
        ~ "') and relkind in ('r', 'p', 'v', 'm') and attnum > 0 "
        ~ "and not attisdropped group by 1, 2"
    ) -%}
        {%- do columns_of.update({row[0] ~ '.' ~ row[1]: row[2].split('|')}) -%}
    {%- endfor %}
{{ secure_roles(layers=layers) }}
{{ secure_rows() }}
{{ retire_views() }};
    {%- for node in graph.nodes.values() | sort(attribute='unique_id') -%}
        {%- set columns = columns_of.get(node.schema ~ '.' ~ node.alias) -%}
        {%- if columns %}
{{ serve(node=node, columns=columns) }};
        {%- endif -%}
    {%- endfor %}
commit
{% endmacro %}
