{% macro current_state(history, columns, delete_action='mark') %}
{%- do assert_columns(macro='current_state', columns=columns) %}
{#- A view of all columns would show, and so keep, one that is to be removed -#}
with

open_versions as (

    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        is_deleted,
        valid_from as _source_ts,
        _batch_seq
    from {{ history }}
    where is_current{{ ' and not is_deleted' if delete_action == 'remove' }}

)

select * from open_versions
{% endmacro %}
