{% set fields = ['num', 'word', 'day', 'flag', 'price'] %}

with literal as (
    select
        1 as num,
        'a' as word,
        cast('2024-02-29' as date) as day,
        true as flag,
        cast(1.5 as numeric(6, 2)) as price

    union all

    select
        null as num,
        '' as word,
        null as day,
        null as flag,
        null as price
)

select
    num,
    {{ dbt_utils.generate_surrogate_key(['num']) }} as one_field,
    {{ dbt_utils.generate_surrogate_key(['num', 'word']) }} as two_fields,
    {{ dbt_utils.generate_surrogate_key(['word', 'num']) }} as reversed,
    {{ dbt_utils.generate_surrogate_key(fields) }} as all_types,
    {{ dbt_utils.generate_surrogate_key(["word || '-'", "num + 1"]) }}
        as expressions
from literal
