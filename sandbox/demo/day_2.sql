-- Day 2, a healthy day. @customers and @suppliers: how many day 1 had.

-- Customers move, earn points and change their address; some do two or three
-- of these within the day, and only the last state is ever seen.
update shop.customers
set
    city = concat('New ', coalesce(nullif(city, ''), 'Town')),
    updated_at = timestamp('2026-03-01 06:00:00')
        + interval customer_id * 977 % 10000 second
        + interval customer_id * 7919 % 1000000 microsecond
where customer_id % 25 = 3 and customer_id <= @customers and deleted_at is null;

update shop.customers
set
    loyalty_points = loyalty_points + 50,
    updated_at = updated_at + interval 4 hour
where customer_id % 50 = 3 and customer_id <= @customers and deleted_at is null;

-- One job, one instant: ties.
update shop.customers
set
    email = concat('Moved.', customer_id, '@Example.com'),
    marketing_opt_in = 1 - marketing_opt_in,
    preferences = '{"theme": "dark", "moved": true}',
    updated_at = timestamp('2026-03-01 18:30:00.000001')
where
    customer_id % 75 = 28
    and customer_id <= @customers
    and deleted_at is null;

update shop.customers
set
    deleted_at = timestamp('2026-03-01 20:00:00')
        + interval customer_id * 7919 % 1000000 microsecond,
    updated_at = timestamp('2026-03-01 20:00:00')
        + interval customer_id * 7919 % 1000000 microsecond
where
    customer_id % 331 = 17
    and customer_id <= @customers
    and deleted_at is null;

-- Hard deletes: suppliers nobody buys from, abandoned orders, contacts.
delete from shop.suppliers
where supplier_id in (@suppliers + 1, @suppliers + 2);

delete from shop.orders
where
    order_id % 400 = 13
    and status = 'cancelled'
    and updated_at < '2026-03-01'
    and not exists (
        select 1 from shop.order_items as i where i.order_id = orders.order_id
    );

delete from crm.contacts
where contact_id in (
    select contact_id
    from (
        select contact_id, row_number() over (order by contact_id) as n
        from crm.contacts
        where updated_at < '2026-03-01'
    ) as numbered
    where n % 100 = 12
);

update shop.suppliers
set
    rating = case when supplier_id % 2 = 0 then null else 4.25 end,
    name = concat(name, ' 🏭'),
    updated_at = '2026-03-01 09:15:00'
where supplier_id % 5 = 2;

update shop.products
set is_active = 1 - is_active, updated_at = '2026-03-01 11:00:00.5'
where product_id % 43 = 9;

-- The price list of two in the morning.
update shop.products as p
inner join shop.price_changes as c on p.product_id = c.product_id
set p.price = c.price, p.updated_at = greatest(p.updated_at, c.updated_at);

update shop.inventory
set
    quantity = greatest(
        0, quantity + cast((product_id * 31) % 41 as signed) - 20
    ),
    counted_at = '2026-03-01 21:00:00'
where product_id % 4 = 2;

update shop.orders as o
inner join shop.order_changes as c on o.order_id = c.order_id
set o.status = c.status, o.updated_at = c.updated_at;

update shop.order_items as i
inner join shop.item_changes as c on i.order_item_id = c.order_item_id
set i.quantity = c.quantity, i.updated_at = c.updated_at;

update crm.contacts as c
inner join (
    select contact_id, row_number() over (order by contact_id) as n
    from crm.contacts
    where updated_at < '2026-03-01'
) as numbered on c.contact_id = numbered.contact_id
set
    c.segment = case when c.segment = 'vip' then 'regular' else 'vip' end,
    c.company = case when n % 40 = 3 then null else 'Moved & Söhne' end,
    c.updated_at = timestamp('2026-03-01 10:00:00')
        + interval n * 7919 % 7200000000 microsecond
where n % 20 = 3;
