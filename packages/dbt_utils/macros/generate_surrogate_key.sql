{% macro generate_surrogate_key(field_list) %}
    {{- return(adapter.dispatch('generate_surrogate_key', 'dbt_utils')(field_list)) -}}
{% endmacro %}


{% macro default__generate_surrogate_key(field_list) %}
    {%- if var('surrogate_key_treat_nulls_as_empty_strings', false) -%}
        {%- set null_word = '' -%}
    {%- else -%}
        {%- set null_word = '_dbt_utils_surrogate_key_null_' -%}
    {%- endif -%}

    {%- set words = [] -%}
    {%- for field in field_list -%}
        {%- set text = 'cast(' ~ field ~ ' as ' ~ dbt.type_string() ~ ')' -%}
        {%- do words.append("coalesce(" ~ text ~ ", '" ~ null_word ~ "')") -%}
    {%- endfor -%}

    {{- dbt.hash(words | join(" || '-' || ")) -}}
{% endmacro %}
