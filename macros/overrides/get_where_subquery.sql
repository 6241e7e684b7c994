{#-
    Replaces dbt's macro for the generic tests of facts: what the last build has
    tested is not looked at again. A test that only warns does, since its build
    passes with rows that fail it.
-#}
{% macro get_where_subquery(relation) %}
    {%- set conditions = [] -%}
    {%- do conditions.append(config.get('where')) if config.get('where') -%}
    {%- set node = execute and graph.nodes.get(model.attached_node) -%}
    {%- if node and is_fact(node=node) and config.get('severity') | lower == 'error' -%}
        {%- set untested = is_untested(key=fact_key(node=node)) -%}
        {%- do conditions.append(untested) if untested != 'true' -%}
    {%- endif -%}
    {%- if not conditions -%}
        {{- return(relation) -}}
    {%- endif -%}
    {{- return(
        '(select * from ' ~ relation ~ ' where (' ~ conditions | join(') and (')
        ~ ')) dbt_subquery'
    ) }}
{% endmacro %}
