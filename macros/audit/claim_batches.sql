{% macro claim_batches(table, fingerprint) %}
    {%- if execute -%}
        {{- assert_rebuild_is_named(fingerprint=fingerprint) -}}
    {%- endif -%}
    {{- return(adapter.dispatch('claim_batches')(
        table=table, fingerprint=fingerprint
    )) }}
{% endmacro %}

{% macro default__claim_batches(table, fingerprint) %}
    merge into {{ environment_table('model_claim') }} as claim
    using (
        select
            '{{ this.schema }}.{{ this.identifier }}' as model,
            '{{ table }}' as table_id,
            '{{ fingerprint }}' as fingerprint,
            '{{ invocation_id }}' as invocation_id,
            coalesce(max(released_through), 0) as through_seq,
            coalesce(max(snapshot_seq), 0) as snapshot_seq
        from {{ audit_table('table_state') }}
        where table_id = '{{ table }}'
    ) as released
    on claim.model = released.model
    when matched then update set
        fingerprint = released.fingerprint,
        invocation_id = released.invocation_id,
        after_seq = {{ 'claim.done_seq' if is_incremental() else '0' }},
        through_seq = greatest(released.through_seq, claim.done_seq),
        snapshot_seq = greatest(released.snapshot_seq, claim.snapshot_seq),
        claimed_at = current_timestamp
    when not matched then insert (
        model, table_id, fingerprint, invocation_id,
        after_seq, through_seq, snapshot_seq, done_seq, claimed_at
    )
    values (
        released.model, released.table_id, released.fingerprint,
        released.invocation_id, 0, released.through_seq, released.snapshot_seq,
        0, current_timestamp
    )
{% endmacro %}

{% macro postgres__claim_batches(table, fingerprint) %}
    insert into {{ environment_table('model_claim') }} as claim (
        model,
        table_id,
        fingerprint,
        invocation_id,
        after_seq,
        through_seq,
        snapshot_seq
    )
    select
        '{{ this.schema }}.{{ this.identifier }}',
        '{{ table }}',
        '{{ fingerprint }}',
        '{{ invocation_id }}',
        0,
        coalesce(max(released_through), 0),
        coalesce(max(snapshot_seq), 0)
    from {{ audit_table('table_state') }}
    where table_id = '{{ table }}'
    -- A second build of the model waits here until the first one is done, and
    -- then continues where that one ended.
    on conflict (model) do update set
        fingerprint = excluded.fingerprint,
        invocation_id = excluded.invocation_id,
        after_seq = {{ 'claim.done_seq' if is_incremental() else '0' }},
        through_seq = greatest(excluded.through_seq, claim.done_seq),
        snapshot_seq = greatest(excluded.snapshot_seq, claim.snapshot_seq),
        claimed_at = clock_timestamp()
{% endmacro %}
