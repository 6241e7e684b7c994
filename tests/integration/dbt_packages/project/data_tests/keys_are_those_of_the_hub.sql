{#- Other keys than these would no longer join to rows that are loaded already. -#}
{% if var('surrogate_key_treat_nulls_as_empty_strings') %}
    {% set none_ = '' %}
{% else %}
    {% set none_ = '_dbt_utils_surrogate_key_null_' %}
{% endif %}

with expected as (
    select
        1 as num,
        'c4ca4238a0b923820dcc509a6f75849b' as one_field,
        md5('1-a') as two_fields,
        md5('a-1') as reversed,
        md5('1-a-2024-02-29-true-1.50') as all_types,
        md5('a--2') as expressions

    union all

    select
        null as num,
        md5('{{ none_ }}') as one_field,
        md5('{{ none_ }}-') as two_fields,
        md5('-{{ none_ }}') as reversed,
        md5('{{ none_ }}--{{ none_ }}-{{ none_ }}-{{ none_ }}') as all_types,
        md5('--{{ none_ }}') as expressions
),

missing as (
    select * from expected
    except
    select * from {{ ref('keys') }}
),

surplus as (
    select * from {{ ref('keys') }}
    except
    select * from expected
)

select * from missing
union all
select * from surplus
