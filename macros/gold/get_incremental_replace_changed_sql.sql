{% macro get_incremental_replace_changed_sql(arg_dict) %}
    {{- return(adapter.dispatch('get_incremental_replace_changed_sql')(
        arg_dict
    )) }}
{% endmacro %}

{#- dbt looks a strategy up by this name, and passes it one dictionary -#}
{% macro default__get_incremental_replace_changed_sql(arg_dict) %}
    {%- set columns =
        arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ arg_dict['target_relation'] }}
    where {{ is_changed(key=fact_key()) }};

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }}
    from {{ arg_dict['temp_relation'] }}
{% endmacro %}

{% macro snowflake__get_incremental_replace_changed_sql(arg_dict) %}
    {{- return(snowflake_dml_explicit_transaction(
        default__get_incremental_replace_changed_sql(arg_dict)
    )) }}
{% endmacro %}
