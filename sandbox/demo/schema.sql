-- The demo's two databases. MariaDB 10.11 and MySQL 8; every datetime is UTC.
drop table if exists shop.demo_state;
drop table if exists shop.payments;
drop table if exists shop.order_items;
drop table if exists shop.orders;
drop table if exists shop.inventory;
drop table if exists shop.products;
drop table if exists shop.suppliers;
drop table if exists shop.customers;
drop table if exists crm.contacts;

create table shop.customers (
    customer_id bigint unsigned not null primary key,
    email varchar(255) null,
    full_name varchar(120) not null,
    phone varchar(32) null,
    country char(2) not null,
    city varchar(80) null,
    marketing_opt_in tinyint(1) not null,
    loyalty_points int not null,
    preferences json null,
    created_at datetime(6) not null,
    updated_at datetime(6) not null,
    deleted_at datetime(6) null,
    key customers_updated_at (updated_at)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;

create table shop.suppliers (
    supplier_id int unsigned not null primary key,
    name varchar(120) not null,
    country char(2) not null,
    contact_email varchar(255) null,
    rating decimal(3, 2) null,
    created_at datetime(6) not null,
    updated_at datetime(6) not null
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;

create table shop.products (
    product_id int unsigned not null primary key,
    supplier_id int unsigned not null,
    sku varchar(32) not null,
    name varchar(160) not null,
    category varchar(40) not null,
    price decimal(12, 2) not null,
    cost decimal(12, 2) not null,
    attributes json null,
    is_active tinyint(1) not null,
    created_at datetime(6) not null,
    updated_at datetime(6) not null,
    unique key products_sku (sku),
    constraint products_supplier foreign key (supplier_id)
        references shop.suppliers (supplier_id)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;

create table shop.inventory (
    product_id int unsigned not null,
    warehouse_code varchar(8) not null,
    quantity int not null,
    reorder_level int null,
    counted_at datetime(6) not null,
    primary key (product_id, warehouse_code),
    constraint inventory_product foreign key (product_id)
        references shop.products (product_id)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;

-- Came from an older system: its key is unique, but may be null.
create table shop.orders (
    order_id bigint unsigned null,
    customer_id bigint unsigned null,
    status enum(
        'placed', 'paid', 'shipped', 'delivered', 'cancelled', 'returned'
    ) not null,
    ordered_at datetime(6) not null,
    currency char(3) not null,
    shipping_fee decimal(8, 2) not null,
    note text null,
    updated_at datetime(6) not null,
    unique key orders_order_id (order_id),
    key orders_updated_at (updated_at),
    constraint orders_customer foreign key (customer_id)
        references shop.customers (customer_id)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;

create table shop.order_items (
    order_item_id bigint unsigned not null primary key,
    order_id bigint unsigned not null,
    product_id int unsigned not null,
    quantity int not null,
    unit_price decimal(12, 2) not null,
    discount decimal(5, 4) not null,
    created_at datetime(6) not null,
    updated_at datetime(6) not null,
    key order_items_updated_at (updated_at),
    constraint order_items_order foreign key (order_id)
        references shop.orders (order_id),
    constraint order_items_product foreign key (product_id)
        references shop.products (product_id)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;

create table shop.payments (
    payment_id bigint unsigned not null primary key,
    order_id bigint unsigned not null,
    kind enum('payment', 'refund') not null,
    method varchar(20) not null,
    amount decimal(12, 2) not null,
    paid_at datetime(6) not null,
    key payments_paid_at (paid_at),
    constraint payments_order foreign key (order_id)
        references shop.orders (order_id)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;

create table crm.contacts (
    contact_id char(36) not null primary key,
    email varchar(255) null,
    first_name varchar(80) null,
    last_name varchar(80) null,
    phone varchar(32) null,
    company varchar(120) null,
    segment varchar(20) not null,
    birth_date date null,
    opted_out tinyint(1) not null,
    updated_at datetime(6) not null,
    key contacts_updated_at (updated_at)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;

-- How far the demo got: one row, written in each day's own transaction.
create table shop.demo_state (
    only_row tinyint not null primary key,
    day int not null,
    order_rows bigint not null
) engine = innodb;
