"""The metadata seed's reader: each kind of fault is told, where and how to mend it."""

import ast
import csv
import inspect
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from ingest.errors import ConfigurationError
from ingest.seed import metadata, options, seedfile
from ingest.seed.metadata import HEADERS, MetadataError, checks, reader, rows
from tests.clone import CODE, REPOSITORY, neutral_environment

SEED = Path("seeds/metadata")


@dataclass(frozen=True)
class Edit:
    """A change of one row of a seed file; `where` is its first cells with dots."""

    file: str
    where: str
    cells: dict[str, str]
    verb: str = "set"


def put(file: str, where: str, **cells: str) -> Edit:
    """Other values in the row `where`."""
    return Edit(file, where, cells)


def add(file: str, where: str, **cells: str) -> Edit:
    """One more row, whose first cells are `where`."""
    return Edit(file, where, cells, "add")


def drop(file: str, where: str) -> Edit:
    """Without the rows that start with `where`."""
    return Edit(file, where, {}, "drop")


def rows_of(root: Path, file: str) -> list[dict[str, str]]:
    with (root / SEED / f"{file}.csv").open(newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text))


def name_of(file: str, row: dict[str, str]) -> str:
    return ".".join(row[column] for column in HEADERS[file])


def fits(file: str, row: dict[str, str], where: str) -> bool:
    return f"{name_of(file, row)}.".startswith(f"{where}.")


def edit(root: Path, change: Edit) -> None:
    header, rows = HEADERS[change.file], rows_of(root, change.file)
    if change.verb == "add":
        first = dict(zip(header, change.where.split("."), strict=False))
        rows.append(dict.fromkeys(header, "") | first | change.cells)
    elif change.verb == "drop":
        kept = [r for r in rows if not fits(change.file, r, change.where)]
        assert len(kept) < len(rows), change
        rows = kept
    else:
        found = [r for r in rows if fits(change.file, r, change.where)]
        assert len(found) == 1, change
        found[0].update(change.cells)
    with (root / SEED / f"{change.file}.csv").open(
        "w", newline="", encoding="utf-8"
    ) as out:
        writer = csv.DictWriter(out, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def line_of(root: Path, file: str, where: str) -> int:
    """The line of the last row that starts with `where`; no cell spans two."""
    rows = rows_of(root, file)
    return max(n for n, r in enumerate(rows, 2) if fits(file, r, where))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a copy of the seed."""
    shutil.copytree(REPOSITORY / SEED, tmp_path / SEED)
    return tmp_path


LONG = "a" * 64
COLUMN = {"data_type": "text", "nullable": "true", "description": "Something"}
TABLE = {
    "model": "more",
    "load_type": "full",
    "delete_mode": "none",
    "on_schema_change": "evolve",
}
KEY = COLUMN | {"nullable": "false", "key_position": "1"}

# What is edited; where the fault must be told; a part of its text, the fix included.
CASES: list[tuple[str, list[Edit], str, str, str]] = [
    # sources.csv
    (
        "a source with a name too long",
        [put("sources", "crm", source="c" * 25)],
        "sources", "c" * 25, "longer than 24 characters",
    ),
    (
        "a kind that is not known",
        [put("sources", "crm", kind="mysq")],
        "sources", "crm", "kind 'mysq' is not known. Did you mean 'mysql'?",
    ),
    (
        "a URL in place of its variable's name",
        [put("sources", "crm", url_env="mysql://me:pw@host/crm")],
        "sources", "crm", "Try 'CRM_URL'",
    ),
    (
        "no schema",
        [put("sources", "crm", schema="")],
        "sources", "crm", "schema is empty; name the database to read from",
    ),
    (
        "an unknown time zone",
        [put("sources", "crm", timezone="Europe/Berlim")],
        "sources", "crm", "Did you mean 'Europe/Berlin'?",
    ),
    (
        "a source twice",
        [add("sources", "crm", kind="mysql", url_env="U", schema="s", timezone="UTC")],
        "sources", "crm", "source crm is there already, in line 2; remove one",
    ),
    (
        "a source whose name parts names",
        [add("sources", "a__b", kind="mysql", url_env="U", schema="s", timezone="UTC")],
        "sources", "a__b", "source must not contain '__'",
    ),
    (
        "an unsafe source name",
        [add("sources", "My-Shop", kind="mysql", url_env="U", schema="s",
             timezone="UTC")],
        "sources", "My-Shop", "not a safe name",
    ),
    # tables.csv
    (
        "a table of no source",
        [add("tables", "shap.more", **TABLE), add("columns", "shap.more.id", name="id",
             **KEY)],
        "tables", "shap.more", "'shap' is not in sources.csv. Did you mean 'shop'?",
    ),
    (
        "a table twice",
        [add("tables", "crm.contacts", **TABLE | {
            "load_type": "scd2", "watermark_column": "updated_at"})],
        "tables", "crm.contacts", "table crm.contacts is there already, in line 2",
    ),
    (
        "a model twice",
        [put("tables", "shop.suppliers", model="payments")],
        "tables", "shop.suppliers", "model payments is there already, in line 7",
    ),
    (
        "a model with an unsafe name",
        [put("tables", "shop.suppliers", model="Suppliers; drop")],
        "tables", "shop.suppliers", "try 'suppliers_drop'",
    ),
    (
        "a model with a name too long",
        [put("tables", "shop.suppliers", model=LONG)],
        "tables", "shop.suppliers", "63 characters at most",
    ),
    (
        "a model that is a reserved word",
        [put("tables", "shop.suppliers", model="group")],
        "tables", "shop.suppliers", "is a reserved word; try 'group_value'",
    ),
    (
        "a column that is called as those of a snapshot",
        [put("columns", "shop.products.sku", name="dbt_sku")],
        "columns", "shop.products.sku", "try 'x_dbt_sku'",
    ),
    (
        "a key that is called as a column of its score",
        [
            put("columns", "shop.suppliers.supplier_id", name="score"),
            add("options", "shop.suppliers.min_score", value="0.9"),
        ],
        "tables", "shop.suppliers", "name it 'score_value'",
    ),
    (
        "an unknown load type",
        [put("tables", "shop.suppliers", load_type="scd3")],
        "tables", "shop.suppliers", "load_type 'scd3' is not known",
    ),
    (
        "an unknown delete mode",
        [put("tables", "shop.suppliers", delete_mode="keyscan")],
        "tables", "shop.suppliers", "Did you mean 'key_scan'?",
    ),
    (
        "an unknown answer to schema changes",
        [put("tables", "shop.suppliers", on_schema_change="frieze")],
        "tables", "shop.suppliers", "Did you mean 'freeze'?",
    ),
    (
        "a flag that is neither true nor false",
        [put("tables", "shop.suppliers", enabled="yes")],
        "tables", "shop.suppliers", "enabled is 'yes'; write true or false",
    ),
    (
        "a table without columns",
        [add("tables", "shop.more", **TABLE)],
        "tables", "shop.more", "shop.more has no row in columns.csv",
    ),
    (
        "a watermark that is no column",
        [put("tables", "shop.suppliers", watermark_column="updated")],
        "tables", "shop.suppliers",
        "'updated' is not a column of shop.suppliers. Did you mean 'updated_at'?",
    ),
    (
        "a watermark that is no timestamp",
        [put("tables", "shop.suppliers", watermark_column="rating")],
        "tables", "shop.suppliers", "is decimal(3,2); a watermark is a timestamp",
    ),
    (
        "no watermark where one is needed",
        [put("tables", "shop.suppliers", watermark_column="")],
        "tables", "shop.suppliers", "needs a watermark_column",
    ),
    (
        "a watermark where all is read",
        [put("tables", "shop.inventory", watermark_column="counted_at")],
        "tables", "shop.inventory", "leave watermark_column empty",
    ),
    (
        "a search for deletes where all is read",
        [put("tables", "shop.inventory", delete_mode="key_scan")],
        "tables", "shop.inventory", "write delete_mode none",
    ),
    (
        "no key",
        [put("columns", "shop.payments.payment_id", key_position="")],
        "tables", "shop.payments", "shop.payments has no key; give key_position 1",
    ),
    (
        "a key with a gap",
        [put("columns", "shop.inventory.warehouse_code", key_position="3")],
        "tables", "shop.inventory", "are not 1, 2, …: [1, 3]",
    ),
    (
        "a history without a tracked column",
        [
            *(
                put("columns", f"shop.products.{name}", tracked="false")
                for name in "supplier_id sku name category price cost attributes "
                "is_active".split()
            ),
        ],
        "tables", "shop.products", "write tracked true in columns.csv",
    ),
    (
        "soft deletes without their column",
        [drop("options", "shop.customers")],
        "tables", "shop.customers", "needs the option soft_delete_column",
    ),
    (
        "two tables with one log",
        [
            add("tables", "shop.Orders", **TABLE),
            add("columns", "shop.Orders.id", name="id", **KEY),
        ],
        "tables", "shop.Orders", "would be called bronze.shop__orders, as that of line",
    ),
    (
        "a log with a name too long",
        [
            add("tables", f"shop.{LONG}", **TABLE),
            add("columns", f"shop.{LONG}.id", name="id", **KEY),
        ],
        "tables", f"shop.{LONG}", "longer than 47 characters",
    ),
    (
        "a model named as one that is generated",
        [put("tables", "shop.inventory", model="customers_history")],
        "tables", "shop.inventory", "is generated for shop.customers; choose another",
    ),
    (
        "a model whose history's name would be too long",
        [put("tables", "shop.suppliers", model="s" * 51)],
        "tables", "shop.suppliers", "shorten it",
    ),
    (
        "a model named as a file of the seed",
        [put("tables", "shop.inventory", model="options")],
        "tables", "shop.inventory", "the name of a seed file; choose another",
    ),
    # columns.csv
    (
        "a column of no table",
        [add("columns", "shop.order.x", name="x", **COLUMN)],
        "columns", "shop.order", "Did you mean 'shop.orders'?",
    ),
    (
        "a column twice",
        [add("columns", "shop.orders.note", name="note_2", **COLUMN)],
        "columns", "shop.orders.note.note_2", "column shop.orders.note is there",
    ),
    (
        "a name twice",
        [put("columns", "shop.orders.note", name="status")],
        "columns", "shop.orders.note", "name shop.orders.status is there already",
    ),
    (
        "an unsafe name",
        [put("columns", "shop.orders.note", name='no"te')],
        "columns", "shop.orders.note", "try 'no_te'",
    ),
    (
        "the name of a column that models add",
        [put("columns", "shop.orders.note", name="is_deleted")],
        "columns", "shop.orders.note", "try 'is_deleted_value'",
    ),
    (
        "an unknown type",
        [put("columns", "shop.orders.note", data_type="string")],
        "columns", "shop.orders.note", "data_type 'string': known types: bigint",
    ),
    (
        "a precision out of range",
        [put("columns", "shop.orders.shipping_fee", data_type="decimal(66,2)")],
        "columns", "shop.orders.shipping_fee", "a precision from 1 to 65",
    ),
    (
        "a key position that is no number",
        [put("columns", "shop.orders.note", key_position="first")],
        "columns", "shop.orders.note", "key_position 'first' is not a number from 1",
    ),
    (
        "a key position that only looks like a number",
        [put("columns", "shop.orders.note", key_position="²")],
        "columns", "shop.orders.note", "key_position '²' is not a number from 1",
    ),
    (
        "a key that may be NULL",
        [put("columns", "shop.orders.order_id", nullable="true")],
        "columns", "shop.orders.order_id", "write nullable false",
    ),
    (
        "a cleansed key",
        [put("columns", "crm.contacts.contact_id", cleanse="trim")],
        "columns", "crm.contacts.contact_id", "a key is never cleansed",
    ),
    (
        "a json key",
        [put("columns", "crm.contacts.contact_id", data_type="json")],
        "columns", "crm.contacts.contact_id", "a key can't be json",
    ),
    (
        "an unknown cleansing",
        [put("columns", "shop.customers.city", cleanse="trimm")],
        "columns", "shop.customers.city", "Did you mean 'trim'?",
    ),
    (
        "cleansing of a number",
        [put("columns", "shop.orders.shipping_fee", cleanse="trim")],
        "columns", "shop.orders.shipping_fee", "works on text, not on decimal(8,2)",
    ),
    (
        "a phone that nobody knows the country of",
        [put("columns", "shop.suppliers.contact_email", cleanse="phone")],
        "tables", "shop.suppliers", "needs the option phone_country",
    ),
    (
        "a country of phones in a column that is not there",
        [put("options", "shop.customers.phone_country", value="land")],
        "options", "shop.customers.phone_country", "is not a name in columns.csv",
    ),
    (
        "a country of phones that is none",
        [put("options", "shop.customers.phone_country", value="Germany")],
        "options", "shop.customers.phone_country", "two capital letters",
    ),
    (
        "a country where no phone is cleansed",
        [add("options", "shop.suppliers.phone_country.DE")],
        "options", "shop.suppliers.phone_country", "no column of shop.suppliers has",
    ),
    (
        "an unknown class of personal data",
        [put("columns", "shop.customers.email", pii="mail")],
        "columns", "shop.customers.email", "Did you mean 'email'?",
    ),
    (
        "no description",
        [put("columns", "shop.orders.note", description="")],
        "columns", "shop.orders.note", "say what the column holds",
    ),
    (
        "tracked where it means nothing",
        [put("columns", "shop.orders.note", tracked="true")],
        "columns", "shop.orders.note", "for scd2 and snapshot only, not for cdc",
    ),
    (
        "a tracked key",
        [put("columns", "shop.customers.customer_id", tracked="true")],
        "columns", "shop.customers.customer_id", "a key column can't be tracked",
    ),
    # options.csv
    (
        "an option of no table",
        [add("options", "shop.order.late_days.1")],
        "options", "shop.order", "table 'shop.order' is not in tables.csv",
    ),
    (
        "an unknown option",
        [add("options", "shop.orders.late_day.1")],
        "options", "shop.orders", "Did you mean 'late_days'?",
    ),
    (
        "an option twice",
        [add("options", "shop.order_items.late_days.4")],
        "options", "shop.order_items.late_days.4", "option shop.order_items.late_days",
    ),
    (
        "an option's value of another kind",
        [put("options", "shop.order_items.late_days", value="-3")],
        "options", "shop.order_items.late_days", "late_days is '-3'; it takes a whole",
    ),
    (
        "a soft-delete column without soft deletes",
        [put("tables", "shop.customers", delete_mode="none")],
        "options", "shop.customers", "write soft_flag in tables.csv",
    ),
    (
        "a soft-delete column that is none",
        [put("options", "shop.customers.soft_delete_column", value="deleted")],
        "options", "shop.customers", "Did you mean 'deleted_at'?",
    ),
    (
        "append-only for another load type",
        [add("options", "shop.orders.append_only.true"),
         put("tables", "shop.orders", delete_mode="none")],
        "options", "shop.orders", "append_only is for load_type incremental, not cdc",
    ),
    (
        "a window to replace where there is none",
        [add("options", "shop.inventory.replace_window.true")],
        "options", "shop.inventory", "leave replace_window out",
    ),
    (
        "a cadence for key scans that are not made",
        [add("options", "shop.payments.key_scan_minutes.60")],
        "options", "shop.payments", "write key_scan in tables.csv",
    ),
    (
        "snapshots to keep of another load type",
        [add("options", "shop.payments.keep_snapshots.3")],
        "options", "shop.payments", "keep_snapshots is for load_type full",
    ),
    (
        "a grace for new rows where none are known to be new",
        [add("options", "shop.inventory.reference_grace_minutes.5")],
        "options", "shop.inventory", "leave reference_grace_minutes out",
    ),
    (
        "append-only with deletes",
        [put("tables", "shop.payments", delete_mode="key_scan")],
        "options", "shop.payments", "loses no rows; write delete_mode none",
    ),
    (
        "an index on a column that is none",
        [add("options", "shop.orders.index_columns.status|custmer_id")],
        "options", "shop.orders", "Did you mean 'customer_id'?",
    ),
    (
        "an index that is there already",
        [add("options", "shop.orders.index_columns.order_id")],
        "options", "shop.orders", "the key's index begins with it already",
    ),
    (
        "a clustering key of no column",
        [add("options", "shop.orders.cluster_columns.ordered_at|custmer_id")],
        "options", "shop.orders", "Did you mean 'customer_id'?",
    ),
    (
        "a clustering key of dbt's snapshot",
        [add("options", "shop.products.cluster_columns.sku")],
        "options", "shop.products", "cluster_columns has no effect on dbt's snapshots",
    ),
    (
        "indexes on dbt's snapshot",
        [add("options", "shop.products.index_columns.sku")],
        "options", "shop.products", "no effect on dbt's snapshots",
    ),
    # rules.csv
    (
        "a rule of no table",
        [put("rules", "shop.suppliers.rating", table="supplier")],
        "rules", "shop.supplier", "Did you mean 'shop.suppliers'?",
    ),
    (
        "a rule twice",
        [add("rules", "shop.suppliers.rating.between.0", severity="warn",
             argument="0..9", layer="model")],
        "rules", "shop.suppliers.rating.between.0..9", "rule shop.suppliers.rating.",
    ),
    (
        "a rule on no column",
        [put("rules", "shop.suppliers.rating", column="ratings")],
        "rules", "shop.suppliers.ratings", "Did you mean 'rating'?",
    ),
    (
        "an unknown check",
        [put("rules", "shop.suppliers.rating", check="betwen")],
        "rules", "shop.suppliers", "Did you mean 'between'?",
    ),
    (
        "an unknown severity",
        [put("rules", "shop.suppliers.rating", severity="error")],
        "rules", "shop.suppliers", "severity 'error' is not known",
    ),
    (
        "an unknown layer",
        [put("rules", "shop.suppliers.rating", layer="models")],
        "rules", "shop.suppliers", "Did you mean 'model'?",
    ),
    (
        "bounds that are no numbers",
        [put("rules", "shop.suppliers.rating", argument="zero..5")],
        "rules", "shop.suppliers", "between takes LOW..HIGH",
    ),
    (
        "no bounds",
        [put("rules", "shop.suppliers.rating", argument="..")],
        "rules", "shop.suppliers", "one may be empty",
    ),
    (
        "a list without values",
        [put("rules", "shop.orders.status", argument="")],
        "rules", "shop.orders.status", "one_of needs an argument",
    ),
    (
        "a broken regular expression",
        [put("rules", "shop.customers.country", argument="[A-Z")],
        "rules", "shop.customers.country", "matches takes a regular expression",
    ),
    (
        "a backslash, which the warehouses read differently",
        [put("rules", "shop.customers.country", argument=r"^\w{2}$")],
        "rules", "shop.customers.country", "write a class such as [.]",
    ),
    *(
        (
            f"what the gate's engine reads otherwise: {pattern}",
            [put("rules", "shop.customers.country", argument=pattern)],
            "rules", "shop.customers.country", "write a plain group, or a class",
        )
        for pattern in ("(?=A)B", "(?i)nl", "[[:upper:]]{2}", "[^-[:upper:]]")
    ),
    *(
        (
            f"a repetition that engines read otherwise: {pattern}",
            [put("rules", "shop.customers.country", argument=pattern)],
            "rules", "shop.customers.country", "a repetition is",
        )
        for pattern in ("^.{1,300}$", "A++", "A{2}+", "^[A-Z]{,3}$", "A{", "{x}")
    ),
    (
        "an argument of a check that has none",
        [put("rules", "shop.products.sku", argument="yes")],
        "rules", "shop.products.sku", "unique takes no argument",
    ),
    (
        "a reference to nothing",
        [put("rules", "shop.payments.order_id", argument="order.order_id")],
        "rules", "shop.payments.order_id", "Did you mean 'orders.order_id'?",
    ),
    (
        "a reference between types that can't be compared",
        [put("columns", "shop.payments.order_id", data_type="boolean")],
        "rules", "shop.payments.order_id", "is bigint, which can't be compared",
    ),
    (
        "a check that another layer has",
        [put("rules", "shop.payments.order_id", layer="gate")],
        "rules", "shop.payments.order_id", "not a check of the layer gate; write model",
    ),
    (
        "a rule of the table that names a column",
        [add("rules", "shop.orders.status.row_count.1..", severity="block",
             layer="gate")],
        "rules", "shop.orders.status.row_count", "leave column empty",
    ),
    (
        "a rule of a column that names none",
        [add("rules", "shop.orders..fresh.1d", severity="block", layer="gate")],
        "rules", "shop.orders..fresh", "column '' is not a name",
    ),
    (
        "bounds of a text",
        [add("rules", "shop.orders.status.between", argument="1..2",
             severity="block", layer="gate")],
        "rules", "shop.orders.status.between", "for numbers, dates and times",
    ),
    (
        "bounds in the wrong order",
        [put("rules", "shop.suppliers.rating", argument="5..0")],
        "rules", "shop.suppliers", "the lower bound first",
    ),
    (
        "bounds of a time that are numbers",
        [add("rules", "shop.orders.ordered_at.between", argument="2020..",
             severity="block", layer="gate")],
        "rules", "shop.orders.ordered_at", "write it as '2024-12-31'",
    ),
    (
        "a share that is none",
        [add("rules", "shop.orders.note.not_null", argument="5%", severity="block",
             layer="gate")],
        "rules", "shop.orders.note", "the share of NULLs that is allowed",
    ),
    (
        "a pattern of a number",
        [add("rules", "shop.orders.shipping_fee.matches", argument="^[0-9]",
             severity="block", layer="gate")],
        "rules", "shop.orders.shipping_fee", "matches is for texts",
    ),
    (
        "a word that is no number",
        [add("rules", "shop.order_items.quantity.one_of", argument="1|two",
             severity="block", layer="gate")],
        "rules", "shop.order_items.quantity.one_of", "'two' is no number",
    ),
    (
        "a value twice",
        [put("rules", "shop.payments.kind", argument="payment|payment")],
        "rules", "shop.payments.kind", "names a value twice",
    ),
    (
        "a date format without a date",
        [add("rules", "shop.orders.note.date_format", argument="%Q",
             severity="block", layer="gate")],
        "rules", "shop.orders.note.date_format", "such as %Y-%m-%d",
    ),
    (
        "an age without a unit",
        [add("rules", "shop.orders.updated_at.fresh.36", severity="block",
             layer="gate")],
        "rules", "shop.orders.updated_at.fresh", "such as 90m, 36h or 2d",
    ),
    (
        "an age of a number",
        [add("rules", "shop.orders.order_id.fresh.36h", severity="block",
             layer="gate")],
        "rules", "shop.orders.order_id.fresh", "for dates and times",
    ),
    (
        "an age of a column that a window does not tell",
        [add("rules", "shop.orders.ordered_at.fresh.2d", severity="block",
             layer="gate")],
        "rules", "shop.orders.ordered_at.fresh", "watermark column 'updated_at'",
    ),
    (
        "a number of rows that is none",
        [add("rules", "shop.orders..row_count.many", severity="block",
             layer="gate")],
        "rules", "shop.orders..row_count", "LOW..HIGH in rows",
    ),
    (
        "columns that are unique together and unknown",
        [add("rules", "shop.inventory..unique", argument="product_id|warehouse",
             severity="block", layer="gate")],
        "rules", "shop.inventory..unique", "with | between them",
    ),
    (
        "a row filter that is no column",
        [add("options", "shop.orders.row_filter_column.contry")],
        "options", "shop.orders.row_filter_column", "is not a name in columns.csv",
    ),
    (
        "row access of a role with an unsafe name",
        [add("row_access", 'a"b.country.DE')],
        "row_access", 'a"b', "not a safe name",
    ),
    (
        "row access to no value",
        [add("row_access", "analysts.country")],
        "row_access", "analysts.country", "shown to none",
    ),
    (
        "row access twice",
        [add("row_access", "analysts.country.FR")] * 2,
        "row_access", "analysts.country.FR", "is there already",
    ),
    (
        "a predicate on no column",
        [add("rules", "shop.orders..satisfies", argument="update_at >= ordered_at",
             severity="block", layer="gate")],
        "rules", "shop.orders..satisfies", "Did you mean 'updated_at'?",
    ),
    (
        "a predicate of another column",
        [add("rules", "shop.orders.status.satisfies",
             argument="updated_at >= ordered_at", severity="block", layer="gate")],
        "rules", "shop.orders.status.satisfies", "a predicate that names status",
    ),
    (
        "a length of a number",
        [add("rules", "shop.orders.shipping_fee.length", argument="1..2",
             severity="block", layer="gate")],
        "rules", "shop.orders.shipping_fee.length", "length is for texts",
    ),
    (
        "a length without bounds",
        [add("rules", "shop.orders.status.length", argument="..", severity="block",
             layer="gate")],
        "rules", "shop.orders.status.length", "LOW..HIGH in characters",
    ),
    (
        "a length the wrong way round",
        [add("rules", "shop.orders.status.length", argument="9..1", severity="block",
             layer="gate")],
        "rules", "shop.orders.status.length", "length takes the lower bound first",
    ),
    (
        "an aggregate in the gate",
        [add("rules", "shop.orders.shipping_fee.equals", severity="block",
             layer="gate", argument="sum(payments.amount) by order_id")],
        "rules", "shop.orders.shipping_fee.equals",
        "equals is not a check of the layer gate; write model",
    ),
    *(
        (
            what,
            [add("rules", f"shop.orders.{column}.equals", argument=argument,
                 severity="block", layer="model")],
            "rules", f"shop.orders.{column}.equals", told,
        )
        for what, column, argument, told in (
            ("no aggregate", "shipping_fee", "payments.amount",
             "equals takes FUNCTION(MODEL.COLUMN) by COLUMN"),
            ("an aggregate of another source", "shipping_fee",
             "count(contacts.contact_id)", "of an enabled table of shop"),
            ("an aggregate of no model", "shipping_fee",
             "sum(payment.amount) by order_id", "Did you mean 'payments'?"),
            ("an aggregate of no column", "shipping_fee",
             "sum(payments.amuont) by order_id", "Did you mean 'amount'?"),
            ("an aggregate by no column", "shipping_fee",
             "sum(payments.amount) by order", "Did you mean 'order_id'?"),
            ("an aggregate by half a key", "shipping_fee",
             "sum(payments.amount) by order_id|payment_id",
             "as shop.orders has in its key: order_id"),
            ("an aggregate by another type", "shipping_fee",
             "sum(payments.amount) by kind", "with the key of shop.orders"),
            ("a text that equals a sum", "status",
             "sum(payments.amount) by order_id", "status is varchar(20)"),
            ("a sum of texts", "shipping_fee", "sum(payments.kind) by order_id",
             "sum of varchar"),
            ("a time that equals a number", "updated_at",
             "max(payments.amount) by order_id", "take columns of numbers"),
        )
    ),
    (
        "a time that equals an instant",
        [put("columns", "shop.payments.paid_at", data_type="timestamptz"),
         add("rules", "shop.orders.ordered_at.equals", severity="block",
             layer="model", argument="min(payments.paid_at) by order_id")],
        "rules", "shop.orders.ordered_at.equals", "which can't be compared",
    ),
    (
        "a sum of doubles",
        [put("columns", "shop.payments.amount", data_type="double"),
         add("rules", "shop.orders.shipping_fee.equals", severity="block",
             layer="model", argument="sum(payments.amount) by order_id")],
        "rules", "shop.orders.shipping_fee.equals", "write decimal(p,s)",
    ),
]  # fmt: skip


def faults(root: Path) -> list[str]:
    with pytest.raises(MetadataError) as caught:
        metadata.load(root)
    told = str(caught.value)
    assert caught.value.exit_code == 2
    assert all(fault in told for fault in caught.value.faults), "all at once"
    return caught.value.faults


@pytest.mark.parametrize(
    ("edits", "file", "where", "text"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_fault_is_reported_with_its_line_and_the_fix(
    root: Path, edits: list[Edit], file: str, where: str, text: str
) -> None:
    for change in edits:
        edit(root, change)
    line = line_of(root, file, where)
    found = faults(root)
    place = f"seeds/metadata/{file}.csv:{line}: "
    assert [f for f in found if f.startswith(place) and text in f], found
    assert len(found) <= 2, "nothing else is accused"


def test_the_seed_itself_has_no_fault(root: Path) -> None:
    tables = metadata.load(root)
    assert [t.id for t in tables] == sorted(
        f"{r['source']}.{r['table']}" for r in rows_of(root, "tables")
    )


@pytest.mark.parametrize("file", HEADERS)
def test_a_missing_file_is_reported(root: Path, file: str) -> None:
    (root / SEED / f"{file}.csv").unlink()
    assert f"seeds/metadata/{file}.csv:1: the file is missing" in faults(root)


def test_a_wrong_header_is_reported_with_the_right_one(root: Path) -> None:
    path = root / SEED / "options.csv"
    path.write_text(path.read_text().replace("option,value", "value,option", 1))
    told = "seeds/metadata/options.csv:1: the header is not source,table,option,value"
    assert told in faults(root)


def test_a_comma_without_quotes_is_reported_with_its_line(root: Path) -> None:
    path = root / SEED / "sources.csv"
    path.write_text(path.read_text().replace('"The web shop: c', "The web shop: c"))
    path.write_text(path.read_text().replace('payments"', "payments"))
    told = (
        "seeds/metadata/sources.csv:3: 9 cells where the header has 7; "
        "quote a cell that holds a comma"
    )
    assert told in faults(root)


def test_a_file_in_another_encoding_is_reported_with_its_line(root: Path) -> None:
    path = root / SEED / "options.csv"
    path.write_bytes(path.read_bytes() + "shop,orders,größe,1\n".encode("latin-1"))
    lines = path.read_bytes().count(b"\n")
    assert f"seeds/metadata/options.csv:{lines}: not UTF-8; save the file as UTF-8" in (
        faults(root)
    )


def test_a_spreadsheet_s_file_is_read_as_it_is(root: Path) -> None:
    before = metadata.load(root)
    for path in (root / SEED).iterdir():
        text = path.read_text(encoding="utf-8").replace("\n", "\r\n")
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert metadata.load(root) == before


def test_faults_of_all_files_are_reported_at_once_in_order(root: Path) -> None:
    edit(root, put("rules", "shop.suppliers.rating", severity="error"))
    edit(root, put("sources", "crm", schema=""))
    edit(root, put("columns", "shop.orders.note", data_type="string"))
    edit(root, put("tables", "shop.suppliers", watermark_column="updated"))
    found = faults(root)
    places = [re.match(r"seeds/metadata/(\w+)\.csv:\d+: ", f) for f in found]
    assert [p and p[1] for p in places] == ["sources", "tables", "columns", "rules"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (put("tables", "shop.orders", table="order"), 4),
        (put("tables", "shop.orders", source="shopp"), 5),
        (put("tables", "shop.customers", load_type="scd3"), 1),
        (put("sources", "shop", source="shopp"), 1),
    ],
)
def test_what_follows_from_a_fault_is_not_reported(
    root: Path, change: Edit, told: int
) -> None:
    edit(root, change)
    found = faults(root)
    assert len(found) == told, found
    assert re.match(r"seeds/metadata/tables\.csv:\d+: ", found[0])


@pytest.mark.parametrize("name", HEADERS)
def test_a_line_that_is_no_row_is_reported_alone(root: Path, name: str) -> None:
    path = root / SEED / f"{name}.csv"
    first, _, rest = path.read_text().partition("\n")
    path.write_text(f"{first}\none,\n{rest}")
    (found,) = faults(root)
    assert found.startswith(f"seeds/metadata/{name}.csv:2: 2 cells where")


def fault_sites() -> dict[tuple[str, int], str]:
    """The file and line of each statement in the code that finds a fault."""
    sites = {}
    for file in JUDGES:
        for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Expr):
                continue
            text = ast.unparse(node)
            call = re.match(r"(\w+\.)?fault\(", text)
            if call or isinstance(node.value, ast.Yield):
                sites[file, node.lineno] = text
    return sites


# Where faults are found: a call of `fault`, or what a function yields.
JUDGES = [inspect.getfile(module) for module in (rows, checks, reader, options)]


@contextmanager
def struck_off(missing: set[tuple[str, int]]) -> Iterator[None]:
    """Takes out of `missing` the lines of the judges that are run."""

    @cache
    def sites_of(code: CodeType) -> set[tuple[str, int]]:
        return {(code.co_filename, line or 0) for _, _, line in code.co_lines()}

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        code = frame.f_code
        if code.co_filename not in JUDGES:
            return None
        if event == "call":
            return trace if sites_of(code) & missing else None
        missing.discard((code.co_filename, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def test_every_kind_of_fault_is_provoked_here(tmp_path: Path) -> None:
    sites = fault_sites()
    assert len(sites) >= 60
    missing = set(sites)
    spoil: dict[str, Callable[[Path], object]] = {
        "missing": lambda folder: (folder / "rules.csv").unlink(),
        "header": lambda folder: (folder / "rules.csv").write_text("a,b\n"),
        "cells": lambda folder: (folder / "rules.csv").open("a").write("a,b\n"),
        "encoding": lambda folder: (folder / "rules.csv").write_bytes(b"\xff"),
    }
    root = tmp_path
    for edits, spoiling in [
        *(([], spoiling) for spoiling in spoil.values()),
        *((case[1], None) for case in CASES),
    ]:
        shutil.rmtree(root / SEED, ignore_errors=True)
        shutil.copytree(REPOSITORY / SEED, root / SEED)
        for change in edits:
            edit(root, change)
        if spoiling:
            spoiling(root / SEED)
        with suppress(MetadataError, ValueError), struck_off(missing):
            metadata.load(root)
    assert [sites[site] for site in missing] == []


def test_a_faulty_seed_ends_with_2_and_nothing_is_generated(root: Path) -> None:
    for folder in CODE:
        shutil.copytree(REPOSITORY / folder, root / folder)
    edit(root, put("tables", "shop.suppliers", watermark_column="updated"))
    edit(root, put("sources", "crm", schema=""))
    before = sorted(root.rglob("*"))
    for words in (["generate"], ["generate", "--check"], ["run"]):
        done = subprocess.run(
            [sys.executable, "-B", "-m", "orchestration", *words],
            cwd=root,
            env=neutral_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "2 faults; nothing was written" in done.stderr
        assert "did you mean 'updated_at'" in done.stderr.lower()
        assert "Traceback" not in done.stderr
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ("shop.inventory", "customers_history"),
        ("shop.inventory", "products_latest"),
        ("shop.inventory", "products_snapshot"),
        ("shop.inventory", "stg_shop__orders"),
    ],
)
def test_a_model_named_as_one_that_is_generated_is_refused(
    root: Path, other: str, name: str
) -> None:
    edit(root, put("tables", other, model=name))
    assert any(name in fault for fault in faults(root))


def test_a_history_s_name_fits_into_postgres(root: Path) -> None:
    edit(root, put("tables", "shop.customers", model="c" * 60))
    edit(
        root,
        put("rules", "shop.orders.customer_id", argument="c" * 60 + ".customer_id"),
    )
    assert any("c" * 60 in fault for fault in faults(root))


def test_a_reference_to_a_table_that_is_not_enabled_is_refused(root: Path) -> None:
    edit(root, put("tables", "shop.products", enabled="false"))
    assert any("products.product_id" in fault for fault in faults(root))


def test_a_name_s_glob_chooses_tables_and_a_wrong_one_is_reported(root: Path) -> None:
    tables = metadata.load(root)

    def chosen(*patterns: str) -> list[str]:
        return [t.id for t in metadata.enabled(tables, patterns)]

    assert chosen("shop.order*") == ["shop.order_items", "shop.orders"]
    assert chosen("crm_contacts", "shop.orders") == ["crm.contacts", "shop.orders"]
    assert chosen("shop.orders,suppliers") == ["shop.orders", "shop.suppliers"]
    assert chosen() == [t.id for t in tables]
    with pytest.raises(
        ConfigurationError, match=r"mean 'shop\.orders'[?]\nhint: there are crm"
    ):
        chosen("shop.order")


def test_a_disabled_table_is_not_chosen(root: Path) -> None:
    edit(root, put("tables", "shop.suppliers", enabled="false"))
    tables = metadata.load(root)
    assert "shop.suppliers" not in [t.id for t in metadata.enabled(tables)]
    with pytest.raises(ConfigurationError, match="no enabled table"):
        metadata.enabled(tables, ["shop.suppliers"])


def fingerprints(root: Path, table: str) -> tuple[str, str]:
    found = next(t for t in metadata.load(root) if t.id == table)
    return found.fingerprint("bytes"), found.fingerprint("meaning")


@pytest.mark.parametrize(
    ("change", "bytes_change", "meaning_changes"),
    [
        (put("columns", "shop.customers.city", description="Town"), False, False),
        (put("columns", "shop.customers.city", cleanse=""), False, True),
        (put("columns", "shop.customers.city", tracked="false"), False, True),
        (put("columns", "shop.customers.city", data_type="text"), True, False),
        (put("columns", "shop.customers.city", name="town"), True, True),
        (put("options", "shop.customers.phone_country", value="DE"), False, True),
        (add("options", "shop.customers.overlap_minutes.9"), False, False),
        (add("options", "shop.customers.delete_action.remove"), False, True),
        (put("tables", "shop.customers", owner="else"), False, False),
    ],
)
def test_fingerprints_follow_what_changes_bytes_and_meaning_and_nothing_else(
    root: Path, change: Edit, bytes_change: bool, meaning_changes: bool
) -> None:
    before = fingerprints(root, "shop.customers")
    others = fingerprints(root, "crm.contacts")
    edit(root, change)
    after = fingerprints(root, "shop.customers")
    assert (before[0] != after[0], before[1] != after[1]) == (
        bytes_change,
        meaning_changes,
    )
    assert fingerprints(root, "crm.contacts") == others


def test_who_reads_a_seed_file_sees_it_as_it_was_or_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / metadata.FOLDER / "tables.csv"
    file.parent.mkdir(parents=True)
    header = ",".join(metadata.HEADERS["tables"]) + "\n"
    file.write_text(header)
    file.chmod(0o640)
    row = {"source": "shop", "table": "orders"}
    with file.open() as reader:
        seedfile.append(tmp_path, "tables", [row])
        assert reader.read() == header
    with file.open() as reader:
        before = file.read_text()
        assert seedfile.change(tmp_path, "tables", row, {"enabled": "false"})
        assert reader.read() == before
    assert "false" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in file.parent.iterdir()] == ["tables.csv"]
