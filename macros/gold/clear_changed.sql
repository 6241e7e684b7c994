{% macro clear_changed(key, changed, changed_key=none) %}
    {{- return(adapter.dispatch('clear_changed')(
        key=key, changed=changed, changed_key=changed_key or key
    )) }}
{% endmacro %}

{#- Nothing to clear on the first run and on a full refresh: the table is new -#}
{% macro default__clear_changed(key, changed, changed_key) %}
    {%- set keys = key | join(', ') -%}
    {%- if is_incremental() -%}
    delete from {{ this }}
    where {{ '(' ~ keys ~ ')' if key | length > 1 else keys }} in (
        select {{ changed_key | join(', ') }} from {{ changed }}
    )
    {%- endif -%}
{% endmacro %}
