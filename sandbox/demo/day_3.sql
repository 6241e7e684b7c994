-- Day 3: normal smaller changes everywhere. The bad batch is the new rows of
-- `orders`, which come from the generator. @customers, @suppliers: day 1's.
update shop.customers
set
    loyalty_points = loyalty_points + 10,
    city = case when customer_id % 150 = 7 then null else city end,
    updated_at = timestamp('2026-03-02 07:00:00')
        + interval customer_id * 977 % 30000 second
        + interval customer_id * 7919 % 1000000 microsecond
where customer_id % 75 = 7 and customer_id <= @customers and deleted_at is null;

-- Back to an address of before: the same content as an earlier version.
update shop.customers
set
    city = substr(city, 5),
    updated_at = '2026-03-02 12:00:00'
where
    customer_id % 150 = 53
    and customer_id <= @customers
    and city like 'New %'
    and deleted_at is null;

update shop.customers
set deleted_at = '2026-03-02 20:00:00', updated_at = '2026-03-02 20:00:00'
where
    customer_id % 997 = 19
    and customer_id <= @customers
    and deleted_at is null;

delete from shop.suppliers where supplier_id = @suppliers + 3;

delete from crm.contacts
where contact_id in (
    select contact_id
    from (
        select contact_id, row_number() over (order by contact_id) as n
        from crm.contacts
        where updated_at < '2026-03-02'
    ) as numbered
    where n % 300 = 7
);

delete from shop.inventory
where product_id % 29 = 3 and warehouse_code = 'KIX-3';

update shop.suppliers
set
    contact_email = 'orders@supplier.example',
    updated_at = '2026-03-02 09:15:00'
where supplier_id % 7 = 3;

update shop.products as p
inner join shop.price_changes as c on p.product_id = c.product_id
set p.price = c.price, p.updated_at = greatest(p.updated_at, c.updated_at);

update shop.inventory
set
    quantity = greatest(
        0, quantity - cast((product_id * 17) % 11 as signed)
    ),
    counted_at = '2026-03-02 21:00:00'
where product_id % 10 = 3;

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
    where updated_at < '2026-03-02'
) as numbered on c.contact_id = numbered.contact_id
set
    c.opted_out = 1 - c.opted_out,
    c.phone = case
        when n % 100 = 15 then '' else concat('+49 30 ', 100000 + n)
    end,
    c.updated_at = timestamp('2026-03-02 10:00:00')
        + interval n * 7919 % 7200000000 microsecond
where n % 50 = 15;
