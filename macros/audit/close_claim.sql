{% macro close_claim() %}
    update {{ environment_table('model_claim') }}
    set done_seq = through_seq
    where
        model = '{{ this.schema }}.{{ this.identifier }}'
        and invocation_id = '{{ invocation_id }}'
{% endmacro %}
