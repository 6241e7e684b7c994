{#-
    One plain select: Postgres does not inline a view that has a WITH, and then
    can't look up the rows of a key by the log's index.
-#}
{% macro staging(source, table, columns) %}
select
    {%- for column in columns %}
    {%- set expression = cleanse(
        expression=column.name, how=column.cleanse, country=column.country
    ) if column.cleanse else column.name %}
    {%- set otherwise = ", '" ~ column.if_null ~ "')" %}
    {%- set expression = "coalesce(" ~ expression ~ otherwise
        if column.if_null is defined else expression %}
    {{ typed(expression=expression, type=column.type) }}
        as {{ column.name }},
    {%- endfor %}
    cast(_op as varchar(1)) as _op,
    cast(_source_ts as {{ warehouse_type('timestamp') }}) as _source_ts,
    cast(_observed_at as {{ warehouse_type('timestamp') }}) as _observed_at,
    cast(_batch_seq as bigint) as _batch_seq,
    cast(_row_hash as bigint) as _row_hash
from {{ source }}
where _batch_seq <= {{ released_through(table) }}
{% endmacro %}
