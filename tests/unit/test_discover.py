"""Names, texts and rules that are made of what a source says; and the seed's files."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import ConfigurationError
from ingest.seed import discover, metadata, seedfile
from ingest.seed.discover.names import Names, column_name, described
from ingest.seed.discover.rows import differences, new_column_row, rule_of_values
from ingest.seed.metadata import HEADERS, Source
from ingest.sources.kind import Column, Proposal, SourceTable
from tests.clone import REPOSITORY


@given(st.text(min_size=1, max_size=64))
def test_any_name_becomes_a_safe_one_that_stays(name: str) -> None:
    safe = column_name(name, set())
    assert metadata.names.IDENTIFIER.fullmatch(safe)
    assert safe not in metadata.RESERVED
    assert safe == column_name(name, set())


@given(st.lists(st.text("aA_-é ", min_size=1, max_size=64), unique=True, max_size=12))
def test_no_two_columns_get_one_name(names: list[str]) -> None:
    taken: set[str] = set()
    assert len({column_name(n, taken) for n in names}) == len(names)


@given(st.lists(st.text("aA_-é ", min_size=1, max_size=64), unique=True, max_size=12))
def test_no_two_models_share_what_dbt_leaves_of_their_names(tables: list[str]) -> None:
    names = Names(Path("nowhere"), [])
    models = []
    for source in (Source(n, "mysql", "", "", "UTC", "", "") for n in ("a", "b" * 24)):
        for table in tables:
            log = names.log(source, table)
            model = names.model(source, log)
            models += [f"stg_{source.name}__{log}", model, f"{model}_history"]
    # What stands before the `__dbt_backup` of the relation that is replaced.
    assert len({name[: 63 - len("__dbt_backup")] for name in models}) == len(models)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("My Shop", "try 'my_shop'"),
        ("select", "try 'select_value'"),
        ("a__b", "must not contain '__'"),
        ("c" * 25, "longer than 24 characters"),
    ],
)
def test_a_source_of_such_a_name_is_refused(name: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        discover.discover(REPOSITORY, name, ())


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("OrderID", "order_id"),
        ("InvoiceLine", "invoice_line"),
        ("SupportRepId", "support_rep_id"),
        ("HTMLPage2", "html_page2"),
        ("customerIDs", "customer_ids"),
        ("ORDER_ID", "order_id"),
        ("Order Items", "order_items"),
        ("zip code", "zip_code"),
        ("Größe", "grosse"),
        ("ключ", "klyuch"),
        ("ЦенаТовара", "tsena_tovara"),
        ("日本 é", "ri_ben_e"),
        ("تاريخ", "trykh"),
        ("2024", "x_2024"),
        ("select", "select_value"),
        ("_batch_seq", "batch_seq"),
    ],
)
def test_a_name_stays_readable(name: str, safe: str) -> None:
    assert column_name(name, set()) == safe


@pytest.mark.parametrize(
    ("comment", "name", "text"),
    [
        ("", "customer_id", "Customer id"),
        ("", "lastUpdate", "Last update"),
        ("", "SupportRepId", "Support rep id"),
        (" two\n lines\x00\u2028 of it. ", "x", "two lines of it"),
        ("", "\n", "x_01ba4719"),
    ],
)
def test_a_description_is_one_line_and_never_empty(
    comment: str, name: str, text: str
) -> None:
    assert described(comment, name) == text


@pytest.mark.parametrize(
    ("declared", "check", "argument"),
    [
        ("enum('a','it''s')", "one_of", "a|it's"),
        ("enum('a|b')", None, None),
        ("enum('a'',''b','c\\\\d','e\\nf')", "one_of", "a','b|c\\d|e\nf"),
        ("set('a','b.c')", "matches", "^((a|b[.]c)(,(a|b[.]c))*)?$"),
        ("set('a\\\\')", None, None),
        ("varchar(9)", None, None),
    ],
)
def test_declared_values_become_a_rule_that_can_hold_them(
    declared: str, check: str | None, argument: str | None
) -> None:
    kind = declared.partition("(")[0]
    column = Column("c", kind, declared, has_labels=kind in ("enum", "set"))
    rule = rule_of_values(column)
    assert (rule.get("check"), rule.get("argument")) == (check, argument)


def test_a_new_column_of_a_known_table_gets_its_class_or_is_asked_for() -> None:
    tables = {t.id: t for t in metadata.load(REPOSITORY)}
    customers, shipments = tables["shop.customers"], tables["shop.products"]
    for table, name, kind, declared, pii in (
        (customers, "Passwort-Hash", "varchar", "varchar(99)", "secret"),
        (shipments, "api key", "varchar", "varchar(99)", "secret"),
        (customers, "scan", "longblob", "longblob", "undecided"),
        (customers, "colour", "varchar", "varchar(9)", ""),
        (shipments, "scan", "longblob", "longblob", ""),
    ):
        proposal = Proposal("binary" if kind == "longblob" else declared)
        column = Column(name, kind, declared, proposal=proposal)
        row = new_column_row(table, column, set())
        assert (row["pii"], row["nullable"]) == (pii, "true")


def test_a_column_without_a_class_that_its_name_has_is_shown_until_decided() -> None:
    (table,) = (t for t in metadata.load(REPOSITORY) if t.id == "shop.customers")
    there = {
        c.source_name: Column(
            c.source_name, "varchar", "varchar(80)", proposal=Proposal("varchar(80)")
        )
        for c in table.columns
    }
    found = SourceTable("customers", False, 1, "", there)

    def told(pii: str, is_harmless: bool = False) -> list[str]:
        columns = tuple(
            replace(c, pii=pii, is_harmless=is_harmless)
            if c.source_name == "email"
            else c
            for c in table.columns
        )
        lines = differences(replace(table, columns=columns), found)
        return [line for line in lines if "column email" in line and "class" in line]

    (line,) = told("")
    assert "by its name it is email. Write email, or none" in line
    assert told("email") == told("undecided") == told("", True) == []


TABLES = """\
source,table,model,load_type,watermark_column,delete_mode,on_schema_change,owner,enabled,description
a,"x, y",x,full,,none,evolve,,true,  spaced  by a person
a,z,z,full,,none,evolve,,true,"two
lines"
"""


def test_rows_are_added_and_the_others_stay_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / metadata.FOLDER / "tables.csv"
    path.parent.mkdir(parents=True)
    path.write_text(TABLES.rstrip("\n"))
    new = dict.fromkeys(HEADERS["tables"], "1") | {"table": 'q"\n,'}
    seedfile.append(tmp_path, "tables", [new])
    assert path.read_text() == TABLES + '1,"q""\n,",1,1,1,1,1,1,1,1\n'
    assert seedfile.change(tmp_path, "tables", {"table": "z"}, {"model": "zz"})
    changed = TABLES.replace("a,z,z,", "a,z,zz,")
    assert path.read_text() == changed + '1,"q""\n,",1,1,1,1,1,1,1,1\n'
    assert not seedfile.change(tmp_path, "tables", {"table": "w"}, {"model": "zz"})
