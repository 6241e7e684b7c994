{#-
    One plain select: Postgres merges no view that has a WITH into the query that
    reads it, and then can't look the rows of a key up by the history's index.
-#}
{% macro current_state(history, columns, delete_action='mark') %}
{%- do assert_columns(macro='current_state', columns=columns) %}
{#- A view of all columns would show, and so keep, one that is to be removed -#}
select
    {%- for column in columns %}
    {{ column }},
    {%- endfor %}
    is_deleted,
    valid_from as _source_ts,
    _batch_seq
from {{ history }}
where is_current{{ ' and not is_deleted' if delete_action == 'remove' }}
{% endmacro %}
