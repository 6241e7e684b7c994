{% macro hold_view(relation) %}
    {{- return(adapter.dispatch('hold_view')(relation=relation)) }}
{% endmacro %}

{% macro default__hold_view(relation) %}
    {{- return('') }}
{% endmacro %}

{#-
    A reader locks the view, then the table. A build that locked the table first, and
    the view when it has it show the new table, would wait for a reader that waits for
    it. The option is what the view has anyway; setting it locks the view and no more.
-#}
{% macro postgres__hold_view(relation) %}
    {%- set layers = [] -%}
    {%- for layer in ['silver', 'gold', 'quality'] -%}
        {%- do layers.append(generate_schema_name(layer, none) | trim) -%}
    {%- endfor -%}
    {%- set view = adapter.quote(serving_schema()) ~ '.'
        ~ adapter.quote(relation.identifier) -%}
    {%- if relation.schema in layers -%}
        {%- do run_query(
            "do $hold$ begin if exists (select from pg_catalog.pg_class where oid = "
            ~ "to_regclass('" ~ view ~ "') and relkind = 'v') then alter view " ~ view
            ~ " set (security_barrier = true); end if; end $hold$"
        ) -%}
    {%- endif -%}
    {{- return('') }}
{% endmacro %}

{#- dbt's own, which puts a new table or view in the old one's place -#}
{% macro postgres__rename_relation(from_relation, to_relation) %}
    {{- hold_view(relation=from_relation) -}}
    {{- return(default__rename_relation(from_relation, to_relation)) }}
{% endmacro %}
