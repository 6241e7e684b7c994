"""Slim builds: a changed cell selects its table's models, and no other."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestration import dbt_runner
from tests.clone import LAYERS, Clone

OLD = "shop,suppliers,name,name,varchar(120),false,,,trim,"
NEW = "shop,suppliers,name,name,varchar(120),false,,,upper,,Name of the company"
OWN = {"stg_shop__suppliers", "suppliers"}


@dataclass
class Slim:
    """The clone with one cell changed, and the state from before."""

    clone: Clone
    state: Path

    def dbt(self, *words: str) -> Any:
        """A dbt command's result, in this process."""
        quiet = ["--quiet", "--log-level", "none", "--log-level-file", "none"]
        with self.clone.inside():
            answer = dbt_runner.runner().invoke(
                [*words, "--target", "postgres", *quiet]
            )
        assert answer.exception is None, answer.exception
        return answer

    def nodes(self, selection: str, *kinds: str) -> set[str]:
        """Names of the nodes that a selection has, of some resource types."""
        types = [word for kind in kinds for word in ("--resource-type", kind)]
        state = ["--state", str(self.state)]
        names = ["--output", "name"]
        result = self.dbt("ls", "--select", selection, *state, *types, *names).result
        return set(result)


@pytest.fixture(scope="module")
def slim(
    stack: Clone, played: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Slim]:
    """After the last day: `cleanse` of a supplier's name is upper, not trim."""
    stack.restore("day_4")
    slim = Slim(stack, tmp_path_factory.mktemp("state"))
    slim.dbt("parse")
    shutil.copy(stack.root / "target" / "manifest.json", slim.state)
    assert slim.nodes("state:modified") == set(), "nothing is modified yet"
    with stack.edited("columns", OLD, NEW):
        yield slim


MODELS = ("model", "snapshot")


def test_a_changed_cell_selects_its_table_s_models_only(slim: Slim) -> None:
    assert slim.nodes("state:modified", *MODELS) == OWN


def test_the_edited_seed_file_is_selected_and_no_other(slim: Slim) -> None:
    assert slim.nodes("state:modified", "seed") == {"columns"}


def test_no_source_and_no_exposure_is_selected(slim: Slim) -> None:
    assert slim.nodes("state:modified", "source", "exposure") == set()


def test_descendants_are_those_of_the_table(slim: Slim) -> None:
    selected = slim.nodes("state:modified+", *MODELS)
    descendants = slim.nodes("stg_shop__suppliers+", *MODELS)
    of_the_seed = slim.nodes("columns+", *MODELS)
    assert selected == descendants | of_the_seed
    assert selected >= OWN
    assert not selected & {"orders", "orders_history", "customers", "inventory"}


def test_a_slim_build_defers_to_prod_and_leaves_it_alone(slim: Slim) -> None:
    clone = slim.clone
    before = clone.contents(LAYERS)
    done = clone.dbt(
        *"build --select state:modified+ --defer --state".split(),
        str(slim.state),
        SEEDBED_SCHEMA="ci_1",
    )
    assert done.returncode == 0, done.stdout
    assert clone.contents(LAYERS) == before
    ci = {
        r["supplier_id"]: r["name"] for r in clone.relation("ci_1_silver", "suppliers")
    }
    prod = {r["supplier_id"]: r["name"] for r in clone.relation("silver", "suppliers")}
    assert ci == {key: name.upper() for key, name in prod.items()}
    assert ci != prod
    built = {
        name
        for (name,) in clone.query(
            "select table_name from information_schema.tables "
            "where table_schema = 'ci_1_silver'"
        )
    }
    assert built == {"suppliers"}
    # What prod claimed of the log is its own; the next run goes on from there.
    claims = "select count(*) from %s.model_claim where model = '%s.suppliers'"
    assert clone.value(claims % ("ci_1_audit", "ci_1_silver")) == 1
    assert clone.value(claims % ("audit", "silver")) == 1
    assert clone.value(claims % ("audit", "ci_1_silver")) == 0
