{#-
    Replaces dbt's macro for each incremental model: rows of an older definition
    beside rows of the new one would be wrong.
-#}
{% macro should_full_refresh() %}
    {%- set configured = config.get('full_refresh') -%}
    {%- if configured is not none -%}
        {{- return(configured) -}}
    {%- elif flags.FULL_REFRESH or not execute or 'gold' not in model.fqn -%}
        {{- return(flags.FULL_REFRESH) -}}
    {%- elif load_relation(this) is none -%}
        {{- return(true) -}}
    {%- endif -%}
    {%- set stored = run_query(
        "select definition from " ~ environment_table('model_definition')
        ~ " where model = '" ~ this.schema ~ "." ~ this.identifier ~ "'"
    ) -%}
    {{- return(stored.rows | length == 0 or stored.rows[0][0] != definition()) }}
{% endmacro %}
