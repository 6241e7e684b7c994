{#-
    One transaction: rows, their batches, and the table's released batch. Rows
    that a publish copied before it died are rolled back; a batch that is copied
    again replaces itself, whatever the log held of it, so FORCE is safe.
-#}
{% macro copy_batches(relation, run_id, table) %}
    {%- set sequences = table.batches | map(attribute='batch_seq') | join(', ') -%}
    {%- set files = table.batches | map(attribute='files') | sum(start=[]) -%}
    {%- set expected = table.batches | map(attribute='rows') | sum -%}
    {%- set copied = namespace(rows=0) -%}
    {#- FILES takes a thousand names -#}
    {%- for chunk in files | batch(1000) -%}
        {%- set copy -%}
            {%- if loop.first %}
            begin;
            delete from {{ relation }} where _batch_seq in ({{ sequences }});
            {%- endif %}
            copy into {{ relation }}
            from @{{ target.database }}.bronze.lake
            files = ('{{ chunk | join("', '") }}')
            file_format = (format_name = '{{ target.database }}.bronze.parquet')
            match_by_column_name = case_insensitive
            on_error = abort_statement
            force = true
        {%- endset -%}
        {%- for row in run_query(copy) -%}
            {%- set copied.rows = copied.rows + (row['rows_loaded'] | int) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if copied.rows != expected -%}
        {%- do run_query('rollback; select 1') -%}
        {{ exceptions.raise_compiler_error(
            table.table_id ~ ": Snowflake copied " ~ copied.rows ~ " rows of batches "
            ~ sequences ~ ", and their manifests say " ~ expected ~ ". Nothing was "
            ~ "changed. Compare the files in the lake with the manifests."
        ) }}
    {%- endif -%}
    {%- do run_query(
        ('' if files else 'begin; ')
        ~ copy_batches__ledger(relation, run_id, table, sequences) ~ '; commit'
    ) -%}
    {{ return('') }}
{% endmacro %}

{% macro copy_batches__ledger(relation, run_id, table, sequences) %}
    {%- if table.batches %}
    delete from {{ audit_table('bronze_batch') }}
    where table_id = '{{ table.table_id }}' and batch_seq in ({{ sequences }});
    insert into {{ audit_table('bronze_batch') }} (
        table_id, batch_seq, run_id, files, rows_loaded, loaded_at
    )
    select
        column1,
        column2,
        column3,
        column4,
        column5,
        current_timestamp
    from values
        {%- for batch in table.batches %}
        (
            '{{ table.table_id }}', {{ batch.batch_seq }}, '{{ run_id }}',
            {{ batch.files | length }}, {{ batch.rows }}
        ){{ ',' if not loop.last }}
        {%- endfor %};
    {%- endif %}
    {#- Old snapshots leave the log here as they do on Postgres -#}
    {%- if table.first_kept %}
    delete from {{ relation }} where _batch_seq < {{ table.first_kept }};
    {%- endif %}
    merge into {{ audit_table('table_state') }} as state
    using (
        select
            '{{ table.table_id }}' as table_id,
            {{ table.released_through }} as released_through,
            {{ table.snapshot_seq }} as snapshot_seq,
            cast('{{ table.observed_at }}' as timestamp_ntz) as observed_at
    ) as released
    on state.table_id = released.table_id
    when matched then update set
        released_through = released.released_through,
        snapshot_seq = released.snapshot_seq,
        observed_at = released.observed_at,
        released_at = current_timestamp
    when not matched then insert (
        table_id, released_through, snapshot_seq, observed_at, released_at
    )
    values (
        released.table_id, released.released_through, released.snapshot_seq,
        released.observed_at, current_timestamp
    )
{% endmacro %}
