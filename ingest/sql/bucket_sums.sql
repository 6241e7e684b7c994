{#-
    Count of the keys and sum of their hashes in each bucket, as texts that are alike
    on both servers: DuckDB would make doubles of the sums' large decimals.
-#}
select
    {{ bucket }} as bucket,
    cast(count(*) as {{ text }}) as rows_there,
    cast(sum({{ hashes }}) as {{ text }}) as hashes
from {{ rows }}
group by 1
