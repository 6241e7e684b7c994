{% macro close_changes() %}
    {%- if execute and is_claimed() -%}
    update {{ environment_table('gold_claim') }}
    set
        done_seq = through_seq,
        definition = '{{ definition() }}'
    where model = '{{ this.schema }}.{{ this.identifier }}';

    drop table if exists {{ changed_keys() }}
    {%- endif -%}
{% endmacro %}
