-- The demo's data as a pure function of (rows, day), computed by DuckDB.
--
-- Every value is a hash of its row's id and the column's purpose, so any day
-- can be recomputed without looking at the databases. An order is a timeline
-- (placed, paid, shipped, …); a day shows each order as of the day's end, and
-- changed rows are those whose newest event lies in the day's window
-- [since, until). Variables are set by the caller: see `sandbox/demo`.

create macro v(name) as getvariable(name);
create macro rnd(id, purpose, n) as (hash(id, purpose) % n::ubigint)::bigint;
create macro pick(id, purpose, list) as list[1 + rnd(id, purpose, len(list))];
create macro later(ts, us) as ts + to_microseconds(us::bigint);
create macro hours(n) as (n * 3600000000)::bigint;
create macro opening() as timestamp '2025-11-01';
create macro closing() as timestamp '2026-03-01';

-- Nothing random falls into day 1's last minute: it belongs to one order, so
-- that late rows can be placed exactly three minutes before the newest one.
create macro calm(ts) as
    case
        when ts >= closing() - interval 1 minute and ts < closing()
            then ts - interval 1 minute
        else ts
    end;

-- ---------------------------------------------------------------- people
create table locales as
select *
from (
    values
    (0, 'DE', '49', ['Berlin', 'München', 'Köln'], ['Jörg', 'Änne', 'Lukas'],
        ['Müller', 'Groß', 'Schäfer'], ['joerg', 'aenne', 'lukas']),
    (1, 'FR', '33', ['Paris', 'Saint-Étienne', 'Nîmes'],
        ['Zoé', 'François', 'Anaïs'], ['Lefèvre', 'D''Aubigné', 'Petit'],
        ['zoe', 'francois', 'anais']),
    (2, 'US', '1', ['New York', 'Austin', 'St. Louis'],
        ['Mary', 'James', 'Renée'], ['O''Neil', 'Smith', 'King, Jr.'],
        ['mary', 'james', 'renee']),
    (3, 'GB', '44', ['London', 'Leeds', 'Bath'], ['Oliver', 'Amelia', 'Siân'],
        ['Taylor', 'Smith-Jones', 'Ó Briain'], ['oliver', 'amelia', 'sian']),
    (4, 'JP', '81', ['東京', '大阪市', '札幌'], ['花子', '太郎', 'さくら'],
        ['佐藤', '鈴木', '髙橋'], ['hanako', 'taro', 'sakura']),
    (5, 'CN', '86', ['上海', '北京', '深圳'], ['伟', '秀英', '𠮷'],
        ['王', '李', '欧阳'], ['wei', 'xiuying', 'ji']),
    (6, 'UA', '380', ['Київ', 'Львів', 'Одеса'], ['Олена', 'Тарас', 'Ївга'],
        ['Шевченко', 'Коваль', 'Лисенко'], ['olena', 'taras', 'yivha']),
    (7, 'GR', '30', ['Αθήνα', 'Πάτρα', 'Χανιά'], ['Ελένη', 'Γιώργος', 'Νίκος'],
        ['Παππάς', 'Βασιλείου', 'Οικονόμου'], ['eleni', 'giorgos', 'nikos']),
    (8, 'AE', '971', ['دبي', 'أبو ظبي', 'العين'], ['فاطمة', 'محمد', 'ليلى'],
        ['العلي', 'حسن', 'النجار'], ['fatima', 'mohammed', 'layla']),
    (9, 'IN', '91', ['दिल्ली', 'मुंबई', 'चेन्नई'], ['प्रिया', 'अर्जुन', 'देवी'],
        ['शर्मा', 'सिंह', 'कुमार'], ['priya', 'arjun', 'devi']),
    (10, 'KR', '82', ['서울', '부산', '대구'], ['민준', '서연', '지우'],
        ['김', '이', '박'], ['minjun', 'seoyeon', 'jiwoo']),
    (11, 'BR', '55', ['São Paulo', 'Brasília', 'Belém'],
        ['João', 'Conceição', 'Luís'], ['Gonçalves', 'Araújo', 'Silva'],
        ['joao', 'conceicao', 'luis'])
) as t (locale_id, country, dial, cities, firsts, lasts, asciis);

create macro people(first_id, last_id) as table
select
    id,
    country,
    pick(id, 'city', cities) as city,
    pick(id, 'first', firsts) as first_name,
    pick(id, 'last', lasts) as last_name,
    pick(id, 'first', asciis) || id || '@'
    || pick(id, 'host', ['example.com', 'example.org', 'mail.example.net'])
        as email,
    case rnd(id, 'phone format', 8)
        when 0 then null
        when 1 then ''
        when 2 then '00' || dial || (1000000000 + rnd(id, 'phone', 8999999999))
        when 3 then '(0' || (200 + rnd(id, 'area', 700)) || ') '
            || (100000 + rnd(id, 'phone', 899999))
        when 4 then '+' || dial || '-' || (100 + rnd(id, 'area', 900)) || '-'
            || (1000000 + rnd(id, 'phone', 8999999))
        when 5 then ' 0' || (100 + rnd(id, 'area', 900)) || '/'
            || (100000 + rnd(id, 'phone', 899999)) || ' '
        else '+' || dial || ' ' || (100 + rnd(id, 'area', 900)) || ' '
            || (100000 + rnd(id, 'phone', 899999))
    end as phone
from range(first_id::bigint, last_id::bigint + 1) as r (id)
inner join locales on locale_id = rnd(id, 'locale', 12);

-- An address as people type it: mostly plain, some shouting, some padded.
create macro typed(email, id, purpose) as
    case rnd(id, purpose, 20)
        when 0 then upper(email)
        when 1 then '  ' || email
        when 2 then email || ' '
        when 3 then ' ' || upper(email[1]) || email[2:]
        else email
    end;

create macro customer_pace() as hours(118 * 24) // v('customers');
create macro customer_created(id) as
    case
        when id <= v('customers')
            then later(
                opening(),
                (id - 1) * customer_pace() + rnd(id, 'created', hours(1))
            )
        else later(v('since'), rnd(id, 'created', hours(20)))
    end;

create table customers as
with
created as (
    select *, customer_created(id) as created_at
    from people(v('customers_first'), v('customers_last'))
)

select
    id as customer_id,
    case
        when id % 41 = 11 then null
        when id % 83 = 14 then ''
        else typed(email, id, 'typed')
    end as email,
    first_name || ' ' || last_name as full_name,
    phone,
    country,
    case rnd(id, 'city known', 12) when 0 then null when 1 then '' else city end
        as city,
    rnd(id, 'opt in', 2) as marketing_opt_in,
    rnd(id, 'loyalty', 5000) * rnd(id, 'loyal', 2) as loyalty_points,
    case
        when id % 5 = 2 then null
        when id % 37 = 4 then '{}'
        else json_object(
            'theme', pick(id, 'theme', ['dark', 'light', '夜 🌙']),
            'newsletter', rnd(id, 'opt in', 2) = 1,
            'channels',
            json_array('email', pick(id, 'channel', ['sms', 'push'])),
            'limits', json_object('daily', rnd(id, 'limit', 10), 'none', null)
        )::varchar
    end as preferences,
    created_at,
    case
        when id > v('customers') then created_at
        -- A nightly loyalty job touched many rows at one instant.
        when id % 10 = 9
            then greatest(created_at, timestamp '2026-02-15 03:00:00')
        when id % 97 = 31 or id % 2 = 0
            then calm(later(created_at, rnd(id, 'touched', hours(40))))
        else created_at
    end as updated_at,
    case when id <= v('customers') and id % 97 = 31 then updated_at end
        as deleted_at
from created;

create table contacts as
with
seats as (
    select
        id,
        -- Seven in ten are a customer; no customer is two contacts.
        1 + (id - 1) * v('customers') // v('contacts') as customer_id,
        rnd(id, 'is customer', 100) < 72 as is_customer
    from range(v('contacts_first'), v('contacts_last') + 1) as r (id)
)

select
    md5('contact ' || seats.id)::uuid::varchar as contact_id,
    case
        when is_customer then typed(email, seats.id, 'contact typed')
        when seats.id % 13 = 6 then null
        when seats.id % 29 = 8 then ''
        else 'lead' || seats.id || '@crm.example'
    end as email,
    case when seats.id % 17 = 5 then null else first_name end as first_name,
    case when seats.id % 19 = 5 then '' else last_name end as last_name,
    phone,
    case rnd(seats.id, 'company', 4)
        when 0 then pick(seats.id, 'firm', [
            'Öl & Söhne "GmbH"', 'ACME, Inc.', '株式会社みどり', 'C:\Trade'
        ])
    end as company,
    pick(seats.id, 'segment', ['new', 'regular', 'vip', 'lost']) as segment,
    case
        when rnd(seats.id, 'birth known', 10) > 2
            then date '1945-01-01' + rnd(seats.id, 'birth', 22000)::int
    end as birth_date,
    (rnd(seats.id, 'opted out', 8) = 0)::int as opted_out,
    case
        when v('day') > 1 then later(v('since'), rnd(seats.id, 'at', hours(20)))
        when seats.id % 10 = 4 then timestamp '2026-02-01 04:00:00'
        else calm(later(opening(), rnd(seats.id, 'at', hours(120 * 24))))
    end as updated_at
from seats
inner join people(1, v('customers') * 2) as p on p.id = seats.customer_id;

-- -------------------------------------------------------------- products
create table suppliers as
select
    id as supplier_id,
    pick(id, 'supplier', ['Nordlicht', 'Étoile', 'みどり', 'Зоря', 'Summit'])
    || ' ' || pick(id, 'form', ['GmbH', 'SARL', 'K.K.', 'Ltd.']) || ' ' || id
        as name,
    pick(id, 'country', ['DE', 'FR', 'JP', 'UA', 'GB']) as country,
    case when id % 4 = 3 then null else 'Sales' || id || '@Supplier.example' end
        as contact_email,
    case when id % 5 <> 4 then (100 + rnd(id, 'rating', 401)) / 100 end
        ::decimal(3, 2) as rating,
    case when v('day') = 1 then opening() else later(v('since'), hours(1)) end
        as created_at,
    created_at as updated_at
from range(v('suppliers_first'), v('suppliers_last') + 1) as r (id);

-- A third of the products got a new price at some time in the history, some on
-- day 2 and some on day 3 (a price list valid from two in the morning).
create macro history_price_at(id) as
    case
        when id % 3 = 1
            then later(opening(), hours(720) + rnd(id, 'reprice', hours(1440)))
    end;
create macro percent(id, purpose) as
    ((88 + rnd(id, purpose, 30)) / 100)::decimal(3, 2);
create macro price_at(id, ts) as
    round(
        ((199 + rnd(id, 'price', 49800)) / 100)::decimal(12, 2)
        * case
            when ts >= history_price_at(id) then percent(id, 'price 1') else 1
        end::decimal(3, 2)
        * case
            when id % 17 = 5 and ts >= timestamp '2026-03-01 02:00:00'
                then percent(id, 'price 2')
            else 1
        end::decimal(3, 2)
        * case
            when id % 23 = 7 and ts >= timestamp '2026-03-02 02:00:00'
                then percent(id, 'price 3')
            else 1
        end::decimal(3, 2),
        2
    )::decimal(12, 2);

create table products as
select
    id as product_id,
    1 + rnd(id, 'supplier', v('suppliers')) as supplier_id,
    'SKU-' || lpad(id::varchar, 6, '0') as sku,
    pick(id, 'adjective', ['Classic', 'Größe XL', 'Déluxe', '新しい', 'Smart'])
    || ' ' || pick(id, 'noun', ['Lamp 💡', 'Tea 🍵', 'Shirt', 'Книга', 'Ball ⚽'])
    || ' ' || id as name,
    pick(id, 'category', ['home', 'food', 'fashion', 'books', 'sports'])
        as category,
    price_at(id, v('until')) as price,
    round(price_at(id, opening()) * percent(id, 'cost') / 2, 2)::decimal(12, 2)
        as cost,
    case
        when id % 6 <> 3
            then json_object(
                'colour', pick(id, 'colour', ['red', 'grün', '青']),
                'weight_kg', (rnd(id, 'weight', 9000) / 1000)::decimal(8, 3),
                'tags', json_array('demo', 'n' || id % 7)
            )::varchar
    end as attributes,
    (id % 31 <> 8)::int as is_active,
    case
        when v('day') = 1
            then later(opening(), hours(1) + rnd(id, 'at', hours(22)))
        else later(v('since'), hours(1) + rnd(id, 'at', hours(18)))
    end as created_at,
    case
        when v('day') = 1 then greatest(created_at, history_price_at(id))
        else created_at
    end as updated_at
from range(v('products_first'), v('products_last') + 1) as r (id);

create table inventory as
select
    product_id,
    ['BER-1', 'LYS-2', 'KIX-3'][warehouse] as warehouse_code,
    rnd(product_id * 4 + warehouse, 'stock', 500) as quantity,
    case when product_id % 5 <> 1 then 10 * rnd(product_id, 'reorder', 9) end
        as reorder_level,
    case
        when v('day') > 1 then created_at
        when product_id % 2 = 0 then timestamp '2026-02-28 22:00:00'
        else later(timestamp '2026-02-01', rnd(product_id, 'count', hours(640)))
    end as counted_at
from products, range(1, 4) as w (warehouse)
where warehouse <= 2 + product_id % 2;

create table price_changes as
select id as product_id, price_at(id, v('until')) as price,
    later(v('since'), hours(2)) as updated_at
from range(1, v('products') + 1) as r (id)
where price <> price_at(id, v('since'));

-- ---------------------------------------------------------------- orders
-- Ids: 1..orders are day 1's, then `day_orders` of day 2, then as many of day
-- 3, of which the second half comes with the repair only. Day 1's last orders
-- are cast by hand: `orders` closes the day, -1 has the payment that is noticed
-- late, -2 the item that arrives late, -3 an item corrected on day 2; the first
-- order of day 2 has one corrected on day 3.
create table placed as
with
ids as (
    select
        id,
        id - v('orders') as nth,
        nth - v('day_orders') as bad_nth,
        id > v('orders') - 4 and nth <= 1 as is_cast,
        hours(118 * 24 + 22) // v('orders') as pace,
        hours(22) // v('day_orders') as day_pace
    from range(1, v('orders_last') + 1) as r (id)
),

timed as (
    select
        *,
        bad_nth > v('day_orders') // 2 as is_missing,
        not is_missing and bad_nth > 0 and bad_nth % 20 = 2 as lacks_customer,
        not is_missing and bad_nth > 0 and bad_nth % 50 = 3 as lacks_id,
        is_missing or lacks_customer or lacks_id as is_bad,
        case
            when nth = 0 then closing() - interval 40 second
            when nth > -4 and nth < 0
                then later(closing() - interval 40 minute, nth * 300000000)
            when nth < 0
                then later(
                    opening(), hours(25) + (id - 1) * pace + rnd(id, 'at', pace)
                )
            else later(
                case
                    when bad_nth > 0 then timestamp '2026-03-02 00:05:00'
                    else timestamp '2026-03-01 00:05:00'
                end,
                (if(bad_nth > 0, bad_nth, nth) - 1) * day_pace
                + rnd(id, 'at', day_pace)
            )
        end as ordered_at,
        case
            when is_bad
                then later(
                    timestamp '2026-03-03 01:00:00', rnd(id, 'mend', hours(1))
                )
            else ordered_at
        end as arrived_at,
        case when is_cast or bad_nth > 0 then 99 else rnd(id, 'fate', 100) end
            as fate
    from ids
),

buyers as (
    select
        *,
        case
            when bad_nth > 0 then v('customers') + v('customers_day_2')
            when nth > 0 then v('customers')
            else least(
                v('customers'),
                1 + (epoch_us(ordered_at) - epoch_us(opening()) - hours(1))
                // customer_pace()
            )
        end as eligible,
        -- Older customers buy more.
        1 + rnd(id, 'buyer', eligible)
        * rnd(id, 'loyal buyer', 1000) // 1000 as buyer
    from timed
)

select
    * exclude (eligible, buyer),
    -- Nobody who was deleted buys.
    case
        when buyer % 97 = 31 or (nth > 0 and buyer % 331 = 17) then buyer - 1
        else buyer
    end as customer_id
from buyers;

create table orders as
with
paid as (
    select
        *,
        not is_cast and nth < 0 and id % 200 = 13 as is_abandoned,
        case
            when is_abandoned or fate < 3 then null
            when nth = 0 then closing() - interval 10 second
            when nth = -1 then closing() - interval 190 second
            when nth = -2 then timestamp '2026-03-01 06:00:00.25'
            when nth = -3 then timestamp '2026-03-01 05:00:00.5'
            when nth = 1 then timestamp '2026-03-02 05:00:00.75'
            when is_bad or rnd(id, 'prompt', 5) > 0
                then later(arrived_at, 60000000 + rnd(id, 'pay', hours(2) // 3))
            else later(arrived_at, hours(2) + rnd(id, 'pay', hours(38)))
        end as paid_on
    from placed
),

sent as (
    select
        *,
        if(is_cast, paid_on, calm(paid_on)) as paid_at,
        case
            when nth = -1 then timestamp '2026-03-01 01:00:00' else paid_at
        end as noticed_at,
        calm(later(noticed_at, hours(6) + rnd(id, 'ship', hours(48))))
            as shipped_at,
        -- A lorry's parcels are scanned as delivered all at once.
        date_trunc('hour', later(shipped_at, hours(24 + rnd(id, 'way', 96))))
            as delivered_at,
        case
            when fate between 3 and 9
                then calm(
                    later(delivered_at, hours(48) + rnd(id, 'back', hours(288)))
                )
        end as returned_at,
        case
            when paid_on is null
                then calm(
                    later(ordered_at, hours(1) + rnd(id, 'off', hours(30)))
                )
        end as cancelled_at
    from paid
),

as_of as (
    select
        *,
        case
            when returned_at < v('until')
                then {'status': 'returned', 'updated_at': returned_at}
            when delivered_at < v('until')
                then {'status': 'delivered', 'updated_at': delivered_at}
            when shipped_at < v('until')
                then {'status': 'shipped', 'updated_at': shipped_at}
            when noticed_at < v('until')
                then {'status': 'paid', 'updated_at': noticed_at}
            when cancelled_at < v('until')
                then {'status': 'cancelled', 'updated_at': cancelled_at}
            else {
                'status': 'placed',
                'updated_at': if(is_missing, arrived_at, ordered_at)
            }
        end as now
    from sent
)

select
    *,
    if(is_missing, arrived_at, ordered_at) >= v('since') as is_new,
    case
        when rnd(id, 'note', 10) = 0 then ''
        when rnd(id, 'note', 10) < 4
            then pick(id, 'note text', [
                'Gift 🎁 for Zoë', 'leave "at door", ring 2x', E'two\nlines',
                'NULL', 'C:\new\table', E'tab\there', '急いで 🙏🏽', 'It''s fine'
            ])
    end as note,
    pick(id, 'currency', ['EUR', 'EUR', 'EUR', 'EUR', 'USD', 'GBP'])
        as currency,
    pick(id, 'fee', [0, 2.9, 4.99, 12.5])::decimal(8, 2) as shipping_fee
from as_of
where
    now.updated_at < v('until')
    -- On the day of the repair all else stands still.
    and (v('day') < 4 or is_bad)
    -- Keeps what happens in the window, or may have items corrected there.
    and (
        now.updated_at >= v('since')
        or noticed_at between v('since') and v('until') + interval 2 day
        or (nth < 0 and is_cast)
    );

create table new_orders as
select
    if(lacks_id and v('day') = 3, null, id) as order_id,
    if(lacks_customer and v('day') = 3, null, customer_id) as customer_id,
    now.status,
    ordered_at,
    currency,
    shipping_fee,
    note,
    now.updated_at
from orders
where is_new;

create table order_changes as
select id as order_id, customer_id, now.status, ordered_at, now.updated_at
from orders
where not is_new and now.updated_at >= v('since');

-- ----------------------------------------------------------------- items
-- Before it is corrected, an item holds one piece too many; payment follows.
create table items as
with
lines as (
    select
        *,
        id * 8 + line as item_id,
        nth = -2 and line = 2 as is_late,
        1 + rnd(item_id, 'product', v('products')) as product_id,
        case
            when nth = -3 and line = 1 then timestamp '2026-03-01 02:00:00.125'
            when nth = 1 and line = 1 then timestamp '2026-03-02 02:00:00.125'
            when
                not is_cast and not is_bad and paid_at is not null
                and rnd(item_id, 'corrected', 5) = 0
                then calm(later(
                    ordered_at, (epoch_us(paid_at) - epoch_us(ordered_at)) // 2
                ))
        end as corrected_at,
        case
            when is_late then closing() - interval 220 second else ordered_at
        end as created_at,
        case
            when is_late then timestamp '2026-03-01 00:30:00'
            when is_bad then arrived_at
            else created_at
        end as seen_at
    from orders, range(1, 6) as r (line)
    where not is_abandoned and line <= case
        when is_cast then 2
        else pick(id, 'lines', [1, 1, 1, 2, 2, 2, 2, 3, 3, 5])
    end
)

select
    id as order_id,
    item_id as order_item_id,
    product_id,
    1 + rnd(item_id, 'pieces', 10) // 4 as final_quantity,
    final_quantity + coalesce(corrected_at >= v('until'), false)::int
        as quantity,
    price_at(product_id, ordered_at) as unit_price,
    pick(item_id, 'discount', [0, 0, 0, 0, 0.05, 0.1, 0.125, 0.3333])
        ::decimal(5, 4) as discount,
    round(final_quantity * unit_price * (1 - discount), 2)::decimal(14, 2)
        as line_total,
    created_at,
    case
        when corrected_at < v('until') then corrected_at
        when is_bad then seen_at
        else created_at
    end as updated_at,
    seen_at,
    corrected_at
from lines;

create table new_order_items as
select
    order_item_id, order_id, product_id, quantity, unit_price, discount,
    created_at, updated_at
from items
where seen_at >= v('since') and seen_at < v('until');

create table item_changes as
select order_item_id, quantity, updated_at
from items
where
    seen_at < v('since')
    and corrected_at >= v('since') and corrected_at < v('until');

-- -------------------------------------------------------------- payments
create table new_payments as
with
totals as (
    select order_id, sum(line_total) as items_total
    from items
    group by order_id
),

events as (
    select id * 2 - 1 as payment_id, id, 'payment' as kind, paid_at,
        noticed_at as seen_at
    from orders
    union all
    select id * 2, id, 'refund', returned_at, returned_at
    from orders
)

select
    e.payment_id,
    e.id as order_id,
    e.kind,
    pick(e.id, 'method', ['card', 'paypal', 'invoice', 'コンビニ']) as method,
    case
        when e.kind = 'payment' then items_total + shipping_fee
        -- Some keep a part: the shipping, or half of the goods.
        when e.id % 3 = 0 then items_total + shipping_fee
        when e.id % 3 = 1 then items_total
        else round(items_total / 2, 2)
    end::decimal(12, 2) as amount,
    e.paid_at
from events as e
inner join orders as o using (id)
inner join totals as t on t.order_id = e.id
where e.seen_at >= v('since') and e.seen_at < v('until');
