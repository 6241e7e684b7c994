-- A table of ten columns, and 20 rows.
create table shop.{table} (
    id bigint unsigned not null auto_increment primary key,
    parent_id bigint unsigned,
    name varchar(120) not null,
    email varchar(255),
    status enum('new', 'open', 'closed') not null,
    amount decimal(12, 2) not null,
    quantity int not null,
    active tinyint(1) not null default 1,
    created_at datetime not null,
    updated_at datetime(6) not null default current_timestamp(6)
    on update current_timestamp(6){reference}
) comment 'Table {number}';
insert into shop.{table} (name, email, status, amount, quantity, created_at)
select concat('name ', seq), concat('a', seq, '@example.org'), 'open', seq, seq, now()
from shop.seq_1_to_20
