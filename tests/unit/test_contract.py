"""Contracts: what a change of the seed breaks, and what it must be called then."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from ingest.errors import ConfigurationError
from ingest.seed import contract, metadata
from ingest.seed.contract import Comparison
from tests.clone import REPOSITORY, neutral_environment
from tests.unit.test_metadata import COLUMN, Edit, add, drop, edit, put, root

__all__ = ["root"]  # the fixture

CUSTOMERS = "shop.customers"


def git(root: Path, *words: str) -> None:
    identity = {"GIT_CONFIG_GLOBAL": os.devnull, "HOME": str(root)}
    command = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(
        [*command, *words],
        cwd=root,
        check=True,
        capture_output=True,
        env=neutral_environment() | identity,
    )


def compared(root: Path, *edits: Edit) -> dict[str, Comparison]:
    """What `edits` change, by table; only tables that differ."""
    was = {t.id: contract.contract(t) for t in metadata.enabled(metadata.load(root))}
    for change in edits:
        edit(root, change)
    found = contract.compare_all(was, metadata.enabled(metadata.load(root)), whole=True)
    return {c.table: c for c in found if c.changes or c.was != c.now}


def rule(column: str, check: str, argument: str, severity: str, layer: str) -> Edit:
    return Edit(
        "rules",
        f"{CUSTOMERS}.{column}.{check}",
        {"argument": argument, "severity": severity, "layer": layer},
        "add",
    )


BREAKING: dict[str, tuple[list[Edit], str]] = {
    "a column is dropped": (
        [drop("columns", f"{CUSTOMERS}.city")],
        "customers.city is gone",
    ),
    "a column is renamed": (
        [put("columns", f"{CUSTOMERS}.city", name="town")],
        "customers.city is gone",
    ),
    "a type is narrower": (
        [put("columns", f"{CUSTOMERS}.city", data_type="varchar(40)")],
        "customers.city is varchar(40), not varchar(80)",
    ),
    "a type is another one": (
        [put("columns", f"{CUSTOMERS}.loyalty_points", data_type="text")],
        "customers.loyalty_points is text, not integer",
    ),
    "a column may be NULL": (
        [put("columns", f"{CUSTOMERS}.country", nullable="true")],
        "customers.country may be NULL",
    ),
    "the key is another one": (
        [
            put("columns", f"{CUSTOMERS}.customer_id", key_position="2"),
            put(
                "columns",
                f"{CUSTOMERS}.country",
                key_position="1",
                tracked="",
                cleanse="",
            ),
        ],
        "the key is country, customer_id, not customer_id",
    ),
    "a rule is gone": (
        [drop("rules", f"{CUSTOMERS}.country.matches")],
        "the rule 'matches ^[A-Z]{2}$' (block) is gone",
    ),
    "a rule only warns": (
        [put("rules", f"{CUSTOMERS}.country.matches", severity="warn")],
        "which is weaker",
    ),
    "a pattern is another one": (
        [put("rules", f"{CUSTOMERS}.country.matches", argument="^[A-Z]{2,3}$")],
        "which is weaker",
    ),
    "more values are allowed": (
        [put("rules", "shop.payments.kind", argument="payment|refund|fee")],
        "which is weaker",
    ),
    "a bound is lower": (
        [put("rules", "shop.suppliers.rating", argument="-1..5")],
        "which is weaker",
    ),
    "a bound is gone": (
        [put("rules", "shop.suppliers.rating", argument="0..")],
        "which is weaker",
    ),
    "data may be older": (
        [add("options", f"{CUSTOMERS}.freshness_error_minutes.2881")],
        "data may be 2881 minutes old, not 2880",
    ),
    "the model is called otherwise": (
        [put("tables", "shop.suppliers", model="vendors")],
        "suppliers is gone",
    ),
    "there is no history any more": (
        [
            put("tables", CUSTOMERS, load_type="scd1"),
            *(
                put("columns", f"{CUSTOMERS}.{name}", tracked="")
                for name in (
                    "email full_name phone country city marketing_opt_in preferences"
                ).split()
            ),
        ],
        "customers_history is gone",
    ),
}


@pytest.mark.parametrize("case", BREAKING)
def test_what_may_break_a_reader_needs_a_new_major_version(
    case: str, root: Path
) -> None:
    edits, told = BREAKING[case]
    (found,) = compared(root, *edits).values()
    assert [c for c in found.changes if c.breaking and told in c.text], found.changes
    assert "a breaking change needs version 2.0.0 or later" in found.fault


@pytest.mark.parametrize(
    ("version", "accepted"),
    [("2.0.0", True), ("3.1.4", True), ("1.1.0", False), ("1.0.1", False)],
)
def test_the_new_version_is_accepted_if_it_is_a_major_one(
    version: str, accepted: bool, root: Path
) -> None:
    found = compared(
        root,
        drop("columns", f"{CUSTOMERS}.city"),
        add("options", f"{CUSTOMERS}.contract_version.", value=version),
    )
    assert (found[CUSTOMERS].fault == "") == accepted


@pytest.mark.parametrize(
    "change",
    [
        add("columns", f"{CUSTOMERS}.title.title", **COLUMN),
        put("columns", f"{CUSTOMERS}.city", data_type="varchar(90)"),
        put("columns", f"{CUSTOMERS}.city", data_type="text"),
        put("columns", f"{CUSTOMERS}.loyalty_points", data_type="bigint"),
        put("columns", f"{CUSTOMERS}.city", nullable="false"),
        put("columns", f"{CUSTOMERS}.city", description="Town"),
        put("columns", f"{CUSTOMERS}.city", cleanse=""),
        put("columns", f"{CUSTOMERS}.city", pii="address"),
        put("rules", f"{CUSTOMERS}.country.matches", description="A country"),
        put("rules", f"{CUSTOMERS}.email.matches", severity="block"),
        put("rules", f"{CUSTOMERS}.country.matches", layer="gate"),
        rule("city", "not_null", "", "warn", "gate"),
        put("tables", CUSTOMERS, owner="finance"),
        add("options", f"{CUSTOMERS}.freshness_error_minutes.60"),
    ],
    ids=lambda change: f"{change.where} {change.cells}",
)
def test_what_breaks_nobody_needs_no_version(change: Edit, root: Path) -> None:
    found = compared(root, change)[CUSTOMERS]
    assert found.changes
    assert not found.breaks
    assert not found.fault


@pytest.mark.parametrize(
    ("was", "now", "weaker"),
    [
        (("between", "0..10", "gate"), ("between", "0..10", "model"), True),
        (("between", "0..10", "gate"), ("between", "1..9.5", "gate"), False),
        (("between", "0..10", "gate"), ("between", "0..", "gate"), True),
        (("not_null", "0.05", "gate"), ("not_null", "", "gate"), False),
        (("not_null", "", "gate"), ("not_null", "0.05", "gate"), True),
    ],
)
def test_rules_are_compared_by_what_they_allow(
    was: tuple[str, str, str], now: tuple[str, str, str], weaker: bool, root: Path
) -> None:
    edit(root, rule("loyalty_points", was[0], was[1], "block", was[2]))
    where = f"{CUSTOMERS}.loyalty_points.{was[0]}"
    found = compared(root, put("rules", where, argument=now[1], layer=now[2]))
    assert found[CUSTOMERS].breaks == weaker


def test_before_1_0_0_a_minor_version_is_enough(root: Path) -> None:
    edit(root, add("options", f"{CUSTOMERS}.contract_version.", value="0.3.1"))
    found = compared(root, drop("columns", f"{CUSTOMERS}.city"))
    assert "needs version 0.4.0" in found[CUSTOMERS].fault
    where = f"{CUSTOMERS}.contract_version"
    found = compared(
        root,
        drop("columns", f"{CUSTOMERS}.loyalty_points"),
        put("options", where, value="0.4.0"),
    )
    assert found[CUSTOMERS].breaks
    assert not found[CUSTOMERS].fault


def test_a_version_never_goes_back(root: Path) -> None:
    edit(root, add("options", f"{CUSTOMERS}.contract_version.", value="1.2.0"))
    where = f"{CUSTOMERS}.contract_version"
    found = compared(root, put("options", where, value="1.1.9"))
    assert "went back from 1.2.0 to 1.1.9" in found[CUSTOMERS].fault


def test_a_draft_may_be_broken_and_a_deprecated_table_removed(root: Path) -> None:
    edit(root, add("options", f"{CUSTOMERS}.contract_status.draft"))
    edit(root, add("options", "shop.suppliers.contract_status.deprecated"))
    found = compared(
        root,
        drop("columns", f"{CUSTOMERS}.city"),
        put("tables", "shop.suppliers", enabled="false"),
        put("tables", "crm.contacts", enabled="false"),
    )
    assert not found[CUSTOMERS].fault
    assert not found["shop.suppliers"].breaks
    assert found["crm.contacts"].breaks


def test_a_contract_has_what_the_standard_demands(root: Path) -> None:
    for table in metadata.enabled(metadata.load(root)):
        document = contract.contract(table)
        assert yaml.safe_load(contract.text(document)) == document
        demanded = {"version", "apiVersion", "kind", "id", "status"}
        assert demanded <= document.keys()
        assert document["kind"] == "DataContract"
        assert document["team"][0]["username"] == table.owner
        for thing in document["schema"]:
            names = [c["name"] for c in thing["properties"]]
            assert [c.name for c in table.columns] == names[: len(table.columns)]
            for column in thing["properties"]:
                assert column["logicalType"] in (
                    "string date number integer object array boolean".split()
                )


def test_the_base_is_a_revision_or_a_file_and_nothing_else(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    git(root, "init", "-q")
    git(root, "add", "seeds")
    git(root, "commit", "-qm", "seed")
    tables = metadata.enabled(metadata.load(root))
    now = {t.id: contract.contract(t) for t in tables}
    edit(root, drop("columns", f"{CUSTOMERS}.city"))
    assert contract.of_base(root, "HEAD") == now

    folder = tmp_path_factory.mktemp("files")
    file = folder / "customers.yaml"
    file.write_text(contract.text(now[CUSTOMERS]))
    assert contract.of_base(root, str(file)) == {CUSTOMERS: now[CUSTOMERS]}

    file.write_text("id: shop.customers\n")
    with pytest.raises(ConfigurationError, match="is no contract"):
        contract.of_base(root, str(file))
    with pytest.raises(ConfigurationError, match="neither a file nor a revision"):
        contract.of_base(root, "nowhere")
    git(root, "rm", "-q", "--cached", "seeds/metadata/rules.csv")
    git(root, "commit", "-qm", "no rules")
    with pytest.raises(ConfigurationError, match=r"rules\.csv"):
        contract.of_base(root, "HEAD")


def test_this_commit_breaks_no_contract_of_its_own() -> None:
    tables = metadata.enabled(metadata.load(REPOSITORY))
    now = {t.id: contract.contract(t) for t in tables}
    assert not any(c.changes for c in contract.compare_all(now, tables, whole=True))
