{% macro get_incremental_replace_versions_sql(arg_dict) %}
    {{- return(adapter.dispatch('get_incremental_replace_versions_sql')(
        arg_dict
    )) }}
{% endmacro %}

{#- dbt looks a strategy up by this name, and passes it one dictionary -#}
{% macro default__get_incremental_replace_versions_sql(arg_dict) %}
    {%- set columns =
        arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set keys = arg_dict['unique_key'] | join(', ') -%}
    delete from {{ arg_dict['target_relation'] }} as history
    using (
        select
            {{ keys }},
            min(version) as _first_version
        from {{ arg_dict['temp_relation'] }}
        group by {{ keys }}
    ) as derived
    where
        {{ same_key('derived', 'history', arg_dict['unique_key']) }}
        and history.version >= derived._first_version;

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }}
    from {{ arg_dict['temp_relation'] }}
{% endmacro %}

{% macro snowflake__get_incremental_replace_versions_sql(arg_dict) %}
    {{- return(snowflake_dml_explicit_transaction(
        default__get_incremental_replace_versions_sql(arg_dict)
    )) }}
{% endmacro %}
