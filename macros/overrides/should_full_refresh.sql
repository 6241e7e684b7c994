{#-
    Replaces dbt's macro for each incremental model: rows of an older definition
    beside rows of the new one would be wrong.
-#}
{% macro should_full_refresh() %}
    {%- set configured = config.get('full_refresh') -%}
    {%- if configured is not none -%}
        {{- return(configured) -}}
    {%- elif flags.FULL_REFRESH or not execute or not is_fact() -%}
        {{- return(flags.FULL_REFRESH) -}}
    {%- elif load_relation(this) is none -%}
        {{- return(true) -}}
    {%- endif -%}
    {%- set stored = run_query(
        "select distinct definition from " ~ environment_table('gold_claim')
        ~ " where model = '" ~ this.schema ~ "." ~ this.identifier ~ "'"
        ~ " and definition <> ''"
    ) -%}
    {{- return(stored.rows | length == 0 or stored.rows[0][0] != definition()) }}
{% endmacro %}
