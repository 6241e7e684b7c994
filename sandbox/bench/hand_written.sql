-- The change of one batch as one would write it by hand for exactly this table:
-- no row is late, a key has one new row, and nobody asks for a rerun.
create temporary table change on commit drop as
select
    new.*,
    coalesce(history.version, 0) + 1 as version
from staging.stg_bench__customers as new
left join silver.customers_history as history
    on
        new.customer_id = history.customer_id
        and history.is_current
where
    new._batch_seq = {batch}
    and (
        history.customer_id is null
        or history.is_deleted <> (new._op = 'D')
        or history.email is distinct from new.email
        or history.full_name is distinct from new.full_name
        or history.phone is distinct from new.phone
        or history.country is distinct from new.country
        or history.city is distinct from new.city
        or history.marketing_opt_in is distinct from new.marketing_opt_in
        or history.preferences is distinct from new.preferences
    );

update silver.customers_history as history
set
    valid_to = change._source_ts,
    is_current = false
from change
where
    history.customer_id = change.customer_id
    and history.is_current;

insert into silver.customers_history
select
    customer_id,
    email,
    full_name,
    phone,
    country,
    city,
    marketing_opt_in,
    loyalty_points,
    preferences,
    created_at,
    updated_at,
    _source_ts as valid_from,
    null as valid_to,
    true as is_current,
    _op = 'D' as is_deleted,
    version,
    _source_ts,
    _batch_seq
from change
