{% macro keep_definition() %}
    {%- if model.config.materialized == 'incremental' -%}
    merge into {{ environment_table('model_definition') }} as stored
    using (
        select
            '{{ this.schema }}.{{ this.identifier }}' as model,
            '{{ definition() }}' as definition
    ) as built
    on stored.model = built.model
    when matched and stored.definition <> built.definition then update set
        definition = built.definition
    when not matched then insert (model, definition)
    values (built.model, built.definition)
    {%- endif -%}
{% endmacro %}
