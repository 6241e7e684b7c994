{#-
    Count, sum and sum of squares over the keys of each bucket, as texts that are alike
    on both servers: DuckDB would make doubles of the sums' large decimals.
-#}
{%- set terms = [] -%}
{%- for key in keys -%}
    {%- set _ = terms.append(7 ** loop.index0 ~ ' * mod(' ~ key ~ ', ' ~ prime ~ ')') -%}
{%- endfor -%}
{%- set mixed = '(' ~ terms | join(' + ') ~ ')' -%}
select
    {{ bucket }} as bucket,
    cast(count(*) as {{ text }}) as rows_there,
    cast(sum({{ mixed }}) as {{ text }}) as total,
    cast(sum({{ mixed }} * {{ mixed }}) as {{ text }}) as squares
from {{ rows }}
group by 1
