{% macro clear_old_snapshot() %}
    {{- return(adapter.dispatch('clear_old_snapshot')()) }}
{% endmacro %}

{#- Nothing to clear on the first run and on a rebuild: the table is new then -#}
{% macro default__clear_old_snapshot() %}
    {%- if is_incremental() -%}
    delete from {{ this }}
    where {{ claimed('snapshot_seq') }} > {{ claimed('after_seq') }}
    {%- endif -%}
{% endmacro %}

{#- Strategy `replace_snapshot` does it there, in one transaction with the rows -#}
{% macro snowflake__clear_old_snapshot() %}
{% endmacro %}
