{#-
    The live rows of a model are those of its log, by key and batch, as far as the
    model is built: what is released meanwhile is not asked for. Derived apart from the
    macros that build the models, so that a fault in one of them shows.
-#}
{% test live_keys_as_in(model, log, table, key, claim=none, whole=false) %}
{%- set columns = key.keys() | list + ['_batch_seq'] -%}
{#- Where production's model is read in place of one's own, so is its claim -#}
{%- set is_own = model.schema == generate_schema_name('silver', none) | trim -%}
{%- set claims = environment_table('model_claim') if is_own
    else audit_table('model_claim') -%}
{%- set built -%}
    (
        select coalesce(max({{ 'snapshot_seq' if whole else 'done_seq' }}), 0)
        from {{ claims }}
        where model = '{{ model.schema }}.{{ claim }}'
    )
{%- endset -%}
{#- dbt's snapshots claim no batches, and keep the batch of the last tracked change -#}
{%- set built = built if claim else released_through(table) -%}
{%- set batch = '_batch_seq' if claim else '0 as _batch_seq' -%}
with

log_rows as (

    select
        {%- for name, type in key.items() %}
        cast({{ name }} as {{ warehouse_type(type) }}) as {{ name }},
        {%- endfor %}
        {%- if not whole %}
        _op,
        _row_hash,
        -- A row that was read after a tombstone takes effect no earlier than it.
        greatest(
            _source_ts,
            max(
                case
                    when _op = 'D' then _source_ts
                    else cast('0001-01-01' as {{ warehouse_type('timestamp') }})
                end
            ) over (
                partition by {{ key | join(', ') }}
                order by _batch_seq, _source_ts, _row_hash, _op
            )
        ) as _takes_effect,
        {%- endif %}
        _batch_seq
    from {{ log }}
    where _batch_seq {{ '=' if whole else '<=' }} {{ built }}

),

{%- if not whole %}

numbered as (

    select
        *,
        row_number() over (
            partition by {{ key | join(', ') }}
            order by _takes_effect desc, _batch_seq desc, _row_hash desc, _op desc
        ) as _newest_first
    from log_rows

),
{%- endif %}

compared as (

    select
        {%- for name in key %}
        {{ name }},
        {%- endfor %}
        {{ batch }},
        1 as _in_log,
        0 as _in_silver
    {%- if whole %}
    from log_rows
    {%- else %}
    from numbered
    where _newest_first = 1 and _op <> 'D'
    {%- endif %}
    union all
    select
        {%- for name in key %}
        {{ name }},
        {%- endfor %}
        {{ batch }},
        0 as _in_log,
        1 as _in_silver
    from {{ model }}
    where not is_deleted

)

select
    {{ columns | join(',\n    ') }},
    sum(_in_log) as _in_log,
    sum(_in_silver) as _in_silver
from compared
group by {{ columns | join(', ') }}
having sum(_in_log) <> sum(_in_silver)
{% endtest %}
