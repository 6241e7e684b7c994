-- Create, fill and index; {low} to {high} is the range of keys of one insert.
drop table if exists shop.orders;
create table shop.orders (
    order_id bigint not null primary key,
    customer_id bigint not null,
    order_number varchar(20) not null,
    status varchar(16) not null,
    currency varchar(3) not null,
    total numeric(12, 2) not null,
    discount numeric(12, 2),
    channel varchar(16),
    placed_at timestamp not null,
    updated_at timestamp not null
);
insert into shop.orders
select
    seq,
    1 + seq * 7919 % 1000000,
    'SO-' || lpad(seq::text, 12, '0'),
    (array['open', 'paid', 'shipped', 'delivered', 'returned'])[1 + seq % 5],
    (array['EUR', 'USD', 'JPY'])[1 + seq % 3],
    seq * 104729 % 1000000 / 100.0,
    case when seq % 3 = 0 then seq % 1000 / 100.0 end,
    (array['web', 'store', 'phone', null])[1 + seq % 4],
    timestamp '2024-01-01' + interval '1 second' * (seq % 15000000),
    timestamp '2025-01-01' + interval '1 second' * (seq * 7919 % 15000000)
    + interval '1 microsecond' * (seq % 1000000)
from generate_series({low}::bigint, {high}::bigint) as seq;
create index orders_updated_at on shop.orders (updated_at);
