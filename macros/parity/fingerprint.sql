{#-
    Each value is hashed as a text that both warehouses give it; a row's hash is that
    of its values' hashes. A sum of hashes does not depend on the order of the rows.
-#}
{% macro fingerprint(relation, columns, key, by='', buckets=[]) %}
{%- set bucket = 'substr(_hash_of_key, 1, 3)' -%}
{%- set summed = ['_hash_of_row'] -%}
{%- if by != 'bucket' -%}
    {%- set summed = summed + ['_hash_of_key'] + columns | list -%}
{%- endif -%}
{#- A key of all columns is shown as its hash -#}
{%- set shown = [] -%}
{%- for name in key if key | length < columns | length -%}
    {%- do shown.append(
        "'" ~ (', ' if not loop.first) ~ name ~ "=', cast(" ~ name ~ ' as varchar)'
    ) -%}
{%- endfor %}
select
    {{ {'bucket': bucket, 'key': '_hash_of_key'}.get(by, "''") }} as _group,
    {{ 'min(_key)' if by == 'key' else "''" }} as _key,
    count(*) as _rows,
    count(distinct _hash_of_key) as _keys
    {%- for name in summed %},
    coalesce(sum({{ number_of_hash(name) }}), 0) as _sum_{{ loop.index }}
    {%- endfor %}
from (
    select
        *,
        md5({{ columns | join(' || ') }}) as _hash_of_row,
        md5({{ key | join(' || ') }}) as _hash_of_key
    from (
        select
            {%- for name, type in columns.items() %}
            md5(
                case
                    when {{ name }} is null then 'n'
                    else concat('v', {{ text_of_value(name, type) }})
                end
            ) as {{ name }},
            {%- endfor %}
            {{ 'concat(' ~ shown | join(', ') ~ ')' if shown else "''" }} as _key
        from {{ relation }}
    ) as _hashed
) as _hashes
{%- if buckets %}
where {{ bucket }} in ('{{ buckets | join("', '") }}')
{%- endif %}
{%- if by %}
group by 1
{%- endif %}
{% endmacro %}
