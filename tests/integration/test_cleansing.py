"""The cleansing macros against tables that a person wrote."""

# ruff: noqa: RUF001 (what people write is ambiguous)

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestration import dbt_runner
from tests.clone import Clone

ROOT = Path(__file__).parents[2]

# What is written, its country, and what it comes to.
Phone = tuple[str | None, str | None, str | None]
PHONES: list[Phone] = [
    # a country's own way of writing, with and without its trunk prefix
    ("030 901820", "DE", "+4930901820"),
    ("(030) 901820", "DE", "+4930901820"),
    ("030/901-820", "DE", "+4930901820"),
    ("30 901820", "DE", "+4930901820"),
    ("020 7946 0958", "GB", "+442079460958"),
    ("01 42 68 53 00", "FR", "+33142685300"),
    ("01.42.68.53.00", "FR", "+33142685300"),
    ("06 1 234 5678", "HU", "+3612345678"),
    ("8 (912) 345-67-89", "RU", "+79123456789"),
    ("912 345-67-89", "RU", "+79123456789"),
    ("03-1234-5678", "JP", "+81312345678"),
    ("(11) 91234-5678", "BR", "+5511912345678"),
    ("0 21 2345 6789", "BR", "+552123456789"),
    # no trunk prefix: the zero belongs to the number
    ("06 698 12345", "IT", "+390669812345"),
    ("20 12 34 56", "DK", "+4520123456"),
    # North America
    ("(212) 555-0123", "US", "+12125550123"),
    ("1-212-555-0123", "US", "+12125550123"),
    ("212.555.0123", "CA", "+12125550123"),
    ("555-0123", "US", None),
    ("112-555-0123", "US", None),
    # out of the country
    ("+49 30 901820", "US", "+4930901820"),
    ("+49 (0)30 901820", "US", "+4930901820"),
    ("(+49) 30 901820", "US", "+4930901820"),
    ("0049 30 901820", "FR", "+4930901820"),
    ("011 49 30 901820", "US", "+4930901820"),
    ("0011 49 30 901820", "AU", "+4930901820"),
    ("010 49 30 901820", "JP", "+4930901820"),
    ("0049 30 901820", "JP", "+4930901820"),
    ("8~10 49 30 901820", "RU", None),
    ("8 10 49 30 901820", "RU", "+4930901820"),
    ("tel:+49-30-901820", "US", "+4930901820"),
    ("TEL:+49-30-901820", None, "+4930901820"),
    # the country as people write it, or not at all
    ("030 901820", " de ", "+4930901820"),
    ("030 901820", None, None),
    ("030 901820", "", None),
    ("030 901820", "D", None),
    ("030 901820", "E4", None),
    ("030 901820", "DEU", None),
    ("030 901820", "ZZ", None),
    ("030 901820", "D'E", None),
    ("030 901820", "=", None),
    ("+49 30 901820", None, "+4930901820"),
    ("+49 30 901820", "ZZ", "+4930901820"),
    ("0049 30 901820", "", "+4930901820"),
    # extensions
    ("030 901820 ext. 12", "DE", "+4930901820"),
    ("030 901820 x12", "DE", "+4930901820"),
    ("030 901820#12", "DE", "+4930901820"),
    ("030 901820,,12", "DE", "+4930901820"),
    ("+49-30-901820;ext=12", "DE", "+4930901820"),
    # other digits, blanks and dashes
    ("＋４９ ３０ ９０１８２０", "US", "+4930901820"),
    ("٠٤ ١٢٣ ٤٥٦٧", "AE", "+97141234567"),
    ("۰۲۱ ۱۲۳۴ ۵۶۷۸", "IR", "+982112345678"),
    ("030\u00a0901\u2011820", "DE", "+4930901820"),
    ("\u202a+49\u200b30\u2013901820\u202c", "DE", "+4930901820"),
    ("\t030\n901820\r\n", "DE", "+4930901820"),
    # what is no number
    (None, "DE", None),
    (None, None, None),
    ("", "DE", None),
    ("   ", "DE", None),
    ("+", "DE", None),
    ("++4930901820", "DE", None),
    ("49+30901820", "DE", None),
    ("n/a", "DE", None),
    ("unbekannt", "DE", None),
    ("110", "DE", None),
    ("1-800-FLOWERS", "US", None),
    ("030 901820 / 030 901821", "DE", None),
    ("+49 30 9018201234567890", "DE", None),
    ("+0 30 901820", "DE", None),
    ("'; drop table x; --", "DE", None),
    ("%", "DE", None),
    ("\\d+", "DE", None),
    ("☎ 030 901820", "DE", None),
    ("030 901820" * 50, "DE", None),
]

# By how: what is written, and what it comes to.
TEXTS: dict[str, list[tuple[str | None, str | None]]] = {
    "trim": [(" a ", "a"), ("", ""), ("  ", ""), (None, None), (" ä  b", "ä  b")],
    "lower": [(" Ä B ", "ä b"), (None, None), ("", "")],
    "upper": [(" ä b ", "Ä B"), (None, None), ("", "")],
    "email": [
        ("ada@example.org", "ada@example.org"),
        (" Ada@Example.ORG ", "ada@example.org"),
        ("mailto:ada@example.org", "ada@example.org"),
        ("Ada Lovelace <Ada@example.org>", "ada@example.org"),
        ("<mailto:ada@example.org>;", "ada@example.org"),
        ("ada@example.org.", "ada@example.org"),
        ("ada@example.org ,", "ada@example.org"),
        ("\u00a0ada@example.org\u200b\t", "ada@example.org"),
        ("ada+shop@example.org", "ada+shop@example.org"),
        ("o'neil@example.org", "o'neil@example.org"),
        ("用户@例子.广告", "用户@例子.广告"),
        # what is no address stays, for a rule to find
        ("ada at example", "ada at example"),
        ("a@b@c", "a@b@c"),
        ("'; drop table x; --", "'; drop table x; --"),
        ("", None),
        (" \t ", None),
        ("<>", None),
        (None, None),
    ],
    "name": [
        ("Ada Lovelace", "Ada Lovelace"),
        ("  Ada \t Lovelace\n", "Ada Lovelace"),
        ("ADA LOVELACE", "Ada Lovelace"),
        ("ada lovelace", "Ada Lovelace"),
        ("MARY-JANE O'NEIL", "Mary-Jane O'Neil"),
        ("o’neil", "O’Neil"),
        ("LUDWIG VAN BEETHOVEN", "Ludwig van Beethoven"),
        ("MIES VAN DER ROHE", "Mies van der Rohe"),
        ("VAN MORRISON", "Van Morrison"),
        ("josé ORTEGA y Gasset", "josé ORTEGA y Gasset"),
        ("JOSÉ MUÑOZ", "José Muñoz"),
        ("Ronald McDonald", "Ronald McDonald"),
        ("Charles de Gaulle", "Charles de Gaulle"),
        ("ОЛЕНА КОВАЛЬ", "Олена Коваль"),
        ("佐藤　花子", "佐藤 花子"),
        ("فاطمة  العلي", "فاطمة العلي"),
        ("𠮷 王", "𠮷 王"),
        ("Zo\u00adé\u200b", "Zoé"),
        ("king, jr.", "King, Jr."),
        ("x'); drop table x; --", "X'); Drop Table X; --"),
        ("", None),
        ("   ", None),
        ("\u200b", None),
        (None, None),
    ],
    "address": [
        ("1 Main St, Springfield", "1 Main St, Springfield"),
        ("1 Main St\nSpringfield\r\n12345", "1 Main St, Springfield, 12345"),
        ("  1  Main\tSt ,Springfield,,  12345, ", "1 Main St, Springfield, 12345"),
        (
            "Straße des 17. Juni 135,\n10623 Berlin",
            "Straße des 17. Juni 135, 10623 Berlin",
        ),
        ("10 DOWNING STREET, LONDON SW1A 2AA", "10 DOWNING STREET, LONDON SW1A 2AA"),
        ("〒100-0001　東京都千代田区", "〒100-0001 東京都千代田区"),
        ("'; drop table x; --", "'; drop table x; --"),
        (",", None),
        (" \n ", None),
        ("", None),
        (None, None),
    ],
}


@pytest.fixture(scope="module")
def connection(
    stack: Clone, warehouse: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A warehouse in which the cases are cleansed."""
    project = tmp_path_factory.mktemp("cleansing") / "project"
    shutil.copytree(Path(__file__).parent / "cleansing", project)
    shutil.copytree(ROOT / "macros" / "cleansing", project / "macros")
    with stack.connect(warehouse["PGDATABASE"]) as found:
        found.execute("create schema cleansing")
        found.execute(
            "create table cleansing.written "
            "(id int primary key, how text, written text, country text)"
        )
        with pytest.MonkeyPatch.context() as patch:
            for name, value in warehouse.items():
                patch.setenv(name, value)
            place = ["--project-dir", str(project), "--profiles-dir", str(project)]
            answer = dbt_runner.runner().invoke(["run", *place, "--log-level", "none"])
        assert answer.success, answer.exception or answer.result
        yield found


def cleansed(
    connection: psycopg.Connection[tuple[Any, ...]],
    cases: list[tuple[str, str | None, str | None]],
) -> list[str | None]:
    """What becomes of each (how, written, country)."""
    connection.execute("truncate cleansing.written")
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into cleansing.written values (%s, %s, %s, %s)",
            [(number, *case) for number, case in enumerate(cases)],
        )
        cursor.execute("select cleansed from cleansing.cleansed order by id")
        return [text for (text,) in cursor.fetchall()]


def test_phone_numbers_of_any_country_are_e164(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    found = cleansed(connection, [("phone", w, c) for w, c, _ in PHONES])
    assert list(zip(PHONES, found, strict=True)) == [(p, p[2]) for p in PHONES]


def test_phone_numbers_of_one_country_are_as_those_of_a_column_with_it(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    one = [(w, c) for w, c, _ in PHONES if c in ("DE", "US", "AU")]
    found = cleansed(connection, [(f"phone of {c}", w, "FR") for w, c in one])
    assert found == cleansed(connection, [("phone", w, c) for w, c in one])


@pytest.mark.parametrize("how", TEXTS)
def test_texts_are_cleansed_as_the_table_says(
    how: str, connection: psycopg.Connection[tuple[Any, ...]]
) -> None:
    found = cleansed(connection, [(how, written, None) for written, _ in TEXTS[how]])
    written = [w for w, _ in TEXTS[how]]
    assert list(zip(written, found, strict=True)) == TEXTS[how]


@pytest.mark.parametrize("how", TEXTS)
def test_cleansing_twice_is_cleansing_once(
    how: str, connection: psycopg.Connection[tuple[Any, ...]]
) -> None:
    once = cleansed(connection, [(how, written, None) for written, _ in TEXTS[how]])
    assert cleansed(connection, [(how, text, None) for text in once]) == once
