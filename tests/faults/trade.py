"""A shop that goes on trading: small changes, in all tables, of all kinds."""

import datetime as dt
import random

from tests.clone import Clone

_MONDAY = dt.datetime(2026, 3, 9)


def trade(clone: Clone, minute: int, dice: random.Random) -> None:
    """Change some rows of each table, as of a minute; a few come late.

    Minutes must go up, by one. Whatever a table's load type must follow is there:
    new, changed, softly and really deleted rows, and rows without any change.
    """
    now = _MONDAY + dt.timedelta(minutes=minute)
    just = now - dt.timedelta(seconds=dice.randint(1, 50))
    # Earlier than what may be released already, as rows that are committed late.
    late = now - dt.timedelta(seconds=dice.randint(1, 200))
    keys = [str(dice.randint(1, 100)) for _ in range(5)]
    some = ", ".join(keys)
    clone.change(
        "begin",
        f"update shop.customers set city = 'Town {minute}', updated_at = '{now}' "
        f"where customer_id in ({some})",
        f"update shop.customers set deleted_at = '{now}', updated_at = '{now}' "
        f"where customer_id = {keys[0]}",
        f"update shop.customers set deleted_at = null, updated_at = '{just}' "
        f"where customer_id = {keys[1]}",
        f"update shop.orders set note = 'at {minute}', updated_at = '{just}' "
        f"where order_id in ({some})",
        f"update shop.order_items set updated_at = '{now}' where order_id in ({some})",
        f"insert into shop.payments select max(payment_id) + 1, {keys[0]}, 'payment', "
        f"'card', 1, '{late}' from shop.payments",
        f"update shop.products set name = 'Thing {minute}', updated_at = '{now}' "
        f"where product_id in ({some})",
        "update shop.inventory set quantity = quantity + 1 "
        f"where product_id in ({some})",
        f"insert into shop.suppliers select max(supplier_id) + 1, 'New {minute}', "
        f"'DE', null, null, '{now}', '{now}' from shop.suppliers",
        f"delete from shop.suppliers where name = 'New {minute - 2}'",
        f"update crm.contacts set company = 'Firm {minute}', updated_at = '{now}' "
        f"order by sha1(concat(contact_id, {minute})) limit 5",
        "insert into crm.contacts (contact_id, first_name, segment, opted_out, "
        f"updated_at) values ('00000000-0000-4000-8000-{minute:012}', 'New', 'smb', 0, "
        f"'{now}')",
        f"delete from crm.contacts order by sha1(concat({minute}, contact_id)) limit 1",
        "commit",
    )
