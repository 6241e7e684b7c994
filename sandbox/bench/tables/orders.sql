-- Create, fill and index; {low} to {high} is the range of keys of one insert.
drop table if exists shop.orders;
create table shop.orders (
    order_id bigint unsigned not null primary key,
    customer_id bigint unsigned not null,
    order_number varchar(20) not null,
    status varchar(16) not null,
    currency char(3) not null,
    total decimal(12, 2) not null,
    discount decimal(12, 2),
    channel varchar(16),
    placed_at datetime not null,
    updated_at datetime(6) not null
) default charset utf8mb4;
insert into shop.orders
select
    seq,
    1 + seq * 7919 % 1000000,
    concat('SO-', lpad(seq, 12, '0')),
    elt(1 + seq % 5, 'open', 'paid', 'shipped', 'delivered', 'returned'),
    elt(1 + seq % 3, 'EUR', 'USD', 'JPY'),
    seq * 104729 % 1000000 / 100,
    if(seq % 3 = 0, seq % 1000 / 100, null),
    elt(1 + seq % 4, 'web', 'store', 'phone', null),
    '2024-01-01' + interval seq % 15000000 second,
    '2025-01-01' + interval seq * 7919 % 15000000 second
    + interval seq % 1000000 microsecond
from seq_{low}_to_{high};
alter table shop.orders add key orders_updated_at (updated_at);
