{% macro claim_changes() %}
    {%- if execute and is_claimed() -%}
    merge into {{ environment_table('gold_claim') }} as claim
    using (
        select
            table_id,
            min(through_seq) as through_seq
        from (
            select
                table_id,
                done_seq as through_seq
            from {{ environment_table('model_claim') }}
            where
                split_part(model, '.', 1)
                = '{{ generate_schema_name("silver", model) | trim }}'

            {% if 'model.' ~ project_name ~ '.products_history'
                in model.depends_on.nodes %}
            union all

            -- A snapshot has no claim.
            select
                'shop.products' as table_id,
                coalesce(max(_batch_seq), 0) as through_seq
            from {{ ref('products_history') }}
            {% endif %}
            union all

            -- What it is derived from may be built less far.
            select
                table_id,
                done_seq as through_seq
            from {{ environment_table('gold_claim') }}
            where model in ('{{ claimed_inputs() | join("', '") }}')
        ) as inputs
        where table_id in ('{{ tables_behind() | join("', '") }}')
        group by table_id
    ) as built
    on
        claim.model = '{{ this.schema }}.{{ this.identifier }}'
        and claim.table_id = built.table_id
    when matched then update set
        through_seq = built.through_seq
    when not matched then insert (
        model, table_id, definition, through_seq, done_seq
    )
    values (
        '{{ this.schema }}.{{ this.identifier }}', built.table_id, '',
        built.through_seq, 0
    )
    {%- endif -%}
{% endmacro %}
