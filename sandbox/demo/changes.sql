-- What generate.sql changes in rows that are there, for the SQL of a day to join.

create temporary table shop.order_changes (
    order_id bigint unsigned primary key,
    customer_id bigint unsigned,
    status varchar(20),
    ordered_at datetime(6),
    updated_at datetime(6)
);

create temporary table shop.item_changes (
    order_item_id bigint unsigned primary key,
    quantity int,
    updated_at datetime(6)
);

create temporary table shop.price_changes (
    product_id int unsigned primary key,
    price decimal(12, 2),
    updated_at datetime(6)
);
