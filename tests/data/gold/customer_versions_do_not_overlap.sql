-- At no instant has a customer two versions.
select
    earlier.customer_id,
    earlier.version,
    later.version as overlapping_version
from {{ ref('dim_customer') }} as earlier
inner join {{ ref('dim_customer') }} as later
    on
        earlier.customer_id = later.customer_id
        and earlier.customer_key <> later.customer_key
        and earlier.valid_from <= later.valid_from
        and (earlier.valid_to > later.valid_from or earlier.valid_to is null)
