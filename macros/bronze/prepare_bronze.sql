{% macro prepare_bronze(lake) %}
    {%- for schema in ('audit', 'bronze') -%}
        {%- do run_query(
            'create schema if not exists ' ~ target.database ~ '.' ~ schema
        ) -%}
        {%- do run_query(
            'alter schema ' ~ target.database ~ '.' ~ schema
            ~ ' set data_retention_time_in_days = '
            ~ retention_days(schema=schema)
        ) -%}
    {%- endfor -%}
    {%- do run_query(prepare_bronze__file_format()) -%}
    {%- do run_query(prepare_bronze__stage(lake)) -%}
    {%- for name, columns in {
        'table_state': [
            'table_id varchar not null',
            'released_through bigint not null',
            'snapshot_seq bigint not null',
            'observed_at timestamp_ntz not null',
            'released_at timestamp_ltz not null',
        ],
        'model_claim': [
            'model varchar not null',
            'table_id varchar not null',
            'fingerprint varchar not null',
            'invocation_id varchar not null',
            'after_seq bigint not null',
            'through_seq bigint not null',
            'snapshot_seq bigint not null',
            'done_seq bigint not null',
            'claimed_at timestamp_ltz not null',
        ],
        'gold_claim': [
            'model varchar not null',
            'table_id varchar not null',
            'definition varchar not null',
            'through_seq bigint not null',
            'done_seq bigint not null',
        ],
        'bronze_batch': [
            'table_id varchar not null',
            'batch_seq bigint not null',
            'run_id varchar not null',
            'files integer not null',
            'rows_loaded bigint not null',
            'loaded_at timestamp_ltz not null',
        ],
    }.items() -%}
        {%- do run_query(
            'create table if not exists ' ~ audit_table(name) ~ ' ('
            ~ columns | join(', ') ~ ')'
        ) -%}
    {%- endfor -%}
    {{ return('') }}
{% endmacro %}

{#- Bytes stay bytes, and times have the file's types -#}
{% macro prepare_bronze__file_format() %}
    create or replace file format {{ target.database }}.bronze.parquet
    type = parquet
    binary_as_text = false
    use_logical_type = true
{% endmacro %}

{#- The keys are in no log: Snowflake shows them as stars in its history -#}
{% macro prepare_bronze__stage(lake) %}
    create or replace stage {{ target.database }}.bronze.lake
    url = '{{ lake }}'
    {%- if env_var('SNOWFLAKE_STORAGE_INTEGRATION', '') %}
    storage_integration = {{ env_var('SNOWFLAKE_STORAGE_INTEGRATION') }}
    {%- elif env_var('SNOWFLAKE_LAKE_KEY_ID', '') %}
    credentials = (
        aws_key_id = '{{ env_var("SNOWFLAKE_LAKE_KEY_ID") }}'
        aws_secret_key = '{{ env_var("SNOWFLAKE_LAKE_SECRET_KEY", "") }}'
    )
    {%- elif env_var('AWS_ACCESS_KEY_ID', '') %}
    credentials = (
        aws_key_id = '{{ env_var("AWS_ACCESS_KEY_ID") }}'
        aws_secret_key = '{{ env_var("AWS_SECRET_ACCESS_KEY", "") }}'
        {%- if env_var('AWS_SESSION_TOKEN', '') %}
        aws_token = '{{ env_var("AWS_SESSION_TOKEN") }}'
        {%- endif %}
    )
    {%- endif %}
    file_format = (format_name = '{{ target.database }}.bronze.parquet')
{% endmacro %}
