-- Create, fill and index; {low} to {high} is the range of keys of one insert.
drop table if exists shop.customers;
create table shop.customers (
    customer_id bigint unsigned not null primary key,
    email varchar(255) not null,
    full_name varchar(120) not null,
    phone varchar(32),
    country char(2) not null,
    city varchar(80),
    street varchar(160),
    about text,
    marketing_opt_in tinyint(1) not null,
    loyalty_points int not null,
    created_at datetime(6) not null,
    updated_at datetime(6) not null
) default charset utf8mb4;
insert into shop.customers
select
    seq,
    concat('customer.', seq, '@', elt(1 + seq % 3, 'example', 'sample', 'test'), '.org'),
    concat(elt(1 + seq % 5, 'Ada', 'Grace', 'Linus', 'Søren', '美咲'), ' Number ', seq),
    if(seq % 10 = 0, null, concat('+49 30 ', lpad(seq * 7919 % 100000000, 8, '0'))),
    elt(1 + seq % 4, 'DE', 'FR', 'JP', 'US'),
    elt(1 + seq % 6, 'Berlin', 'Paris', '東京', 'Boston', 'Köln', null),
    concat(md5(seq), ' Street ', seq % 997),
    if(seq % 4 = 0, null, concat(sha1(seq), ' likes mail, \\ and "quotes"')),
    seq % 2,
    seq * 31 % 10000,
    '2024-01-01' + interval seq % 15000000 second,
    '2025-01-01' + interval seq * 7919 % 15000000 second
    + interval seq % 1000000 microsecond
from seq_{low}_to_{high};
alter table shop.customers add key customers_updated_at (updated_at);
