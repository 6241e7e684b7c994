create or replace temp view typed as
select
    *,
    unhex(md5(concat(
        {%- for column in table.columns %}
        {{ hashed(column) }}{{ ',' if not loop.last }}
        {%- endfor %}
    ))) as _row_hash
from (
    select
        case
            {%- for column in table.key %}
            when {{ column.source_name | quoted }} is null
                then {{ ('NULL in key ' ~ column.name) | literal }}
            {%- endfor %}
            {%- if watermark and table.options.null_watermark == 'reject' %}
            when {{ watermark }} is null then 'NULL watermark'
            {%- endif %}
            {%- for column in table.columns if fits(column) %}
            when not coalesce({{ fits(column) }}, true)
                then {{ (column.name ~ ' is not a ' ~ column.type.name) | literal }}
            {%- endfor %}
            when false then ''
        end as _reason,
        {{ watermark ~ ' is null' if watermark else 'false' }} as _timeless,
        {%- if table.options.soft_delete_column %}
        {%- set flag = table.options.soft_delete_column | quoted %}
        {%- set said = "coalesce(try_cast(" ~ flag ~ " as varchar), '')" %}
        -- A number may be written 0.0.
        case
            when {{ said }} in ('', 'false') or try_cast({{ said }} as double) = 0
                then 'U'
            else 'D'
        end as _op,
        {%- else %}
        'U' as _op,
        {%- endif %}
        {%- if watermark %}
        coalesce(
            {{ effective(watermark, table.clock, observed) }}, {{ observed }}
        ) as _source_ts,
        {%- else %}
        {{ observed }} as _source_ts,
        {%- endif %}
        {{ observed }} as _observed_at,
        {{ batch_seq }}::bigint as _batch_seq,
        {
            {%- for column in table.columns %}
            {{ column.source_name | literal }}: {{ shown(column) }}
            {{- ',' if not loop.last }}
            {%- endfor %}
        } as _raw,
        {%- for column in table.columns %}
        {{ cast(column) }} as {{ column.name | quoted }}{{ ',' if not loop.last }}
        {%- endfor %}
    from ({{ rows }})
)
