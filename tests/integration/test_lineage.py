"""Lineage of a whole project, as OpenLineage's schemas and DataHub's reader have it."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from ingest import control
from orchestration.watch import columns, lineage
from tests.clone import REPOSITORY, Clone
from tests.conftest import Played
from tests.lineage import PAGE, assert_chain, checked, lineage_of, recipe


def test_the_lineage_goes_on_from_the_source_through_every_model(
    day_4: Clone, played: Played
) -> None:
    lineage = [lineage_of(day_4, result.run_id) for result in played.results.values()]
    assert_chain(lineage)
    for events in lineage[:1]:
        checked(events)
    written = {
        dataset["name"].partition(".")[2]
        for events in lineage
        for event in events
        for dataset in event["outputs"]
    }
    built = {
        f"{schema}.{name}"
        for schema, name in day_4.query(
            "select table_schema, table_name from information_schema.tables "
            "where table_schema in ('staging', 'silver', 'gold')"
        )
    }
    assert built <= written


def test_a_column_of_gold_is_followed_to_the_source(
    day_4: Clone, played: Played
) -> None:
    with day_4.inside():
        known = columns.known()

    def sources(node: str, column: str) -> set[tuple[str, str]]:
        origins = known.get(node, {}).get(column, [])
        found: set[tuple[str, str]] = set()
        for origin in origins:
            name = origin.node.rpartition(".")[2]
            if origin.node.startswith("source."):
                found.add((name, origin.column))
            else:
                found |= sources(origin.node, origin.column)
        return found

    assert sources("model.seedbed.fct_payments", "amount") == {
        ("shop__payments", "amount"),
    }
    assert sources("model.seedbed.fct_orders", "item_count") == {
        ("shop__order_items", "quantity")
    }
    (origin,) = known["model.seedbed.fct_orders"]["item_count"]
    assert origin.kind == columns.AGGREGATION
    assert ("shop__customers", "phone") in sources("model.seedbed.customers", "phone")


def test_a_run_that_was_killed_has_its_ends_from_the_next_one(
    day_4: Clone, played: Played
) -> None:
    with day_4.inside(), control.connect() as connection:
        dead = control.begin_run(connection, "run")
        connection.execute(
            "insert into audit.step (run_id, name, table_id, batch_seq) "
            "values (%s, 'extract', 'shop.orders', 1)",
            (dead,),
        )
    day_4.run("shop.suppliers", with_build=False)
    events = lineage_of(day_4, dead)
    told = [(e["eventType"], e["job"]["name"]) for e in events]
    assert sorted(told) == [
        ("FAIL", "extract.shop.orders"),
        ("FAIL", "run"),
        ("START", "extract.shop.orders"),
        ("START", "run"),
    ]
    checked(events)


class Endpoint:
    """Takes events as Marquez does, and refuses them from the `limit`th on."""

    path = "/api/v1/lineage"
    taken_with = 201

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.limit = 0

    def takes(self, headers: Message, event: Any) -> bool:
        return len(self.taken) < self.limit

    @contextmanager
    def listening(self, port: int) -> Iterator[int]:
        """Listen at a port, 0 for any; with its number."""
        endpoint = self

        class Web(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                event = json.loads(body)
                is_taken = self.path == endpoint.path and endpoint.takes(
                    self.headers, event
                )
                if is_taken:
                    endpoint.taken.append(event)
                self.send_response(endpoint.taken_with if is_taken else 503)
                self.end_headers()

            def log_message(self, format: str, *words: object) -> None:
                """Nobody reads it."""

        with ThreadingHTTPServer(("127.0.0.1", port), Web) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield server.server_address[1]
            server.shutdown()


def sent(clone: Clone, port: int, **variables: str) -> str | None:
    """Send what waits; the fault that was met."""
    url = f"http://127.0.0.1:{port}"
    with (
        clone.inside(OPENLINEAGE_URL=url, **variables),
        control.connect() as connection,
    ):
        return lineage.send(connection, pauses=())


def test_each_event_arrives_once_and_in_order_after_the_endpoint_was_down(
    day_4: Clone, played: Played
) -> None:
    runs = [run_id for (run_id,) in day_4.query("select run_id from audit.run")]
    expected = [event for run_id in sorted(runs) for event in lineage_of(day_4, run_id)]
    endpoint = Endpoint()
    with endpoint.listening(0) as port:
        pass
    assert "out of reach" in (sent(day_4, port) or "")
    with endpoint.listening(port):
        endpoint.limit = len(lineage_of(day_4, min(runs))) + 10
        assert "answered 503" in (sent(day_4, port) or "")
        assert len(endpoint.taken) == endpoint.limit
        endpoint.limit = len(expected) + 1
        assert sent(day_4, port) is None
        assert sent(day_4, port) is None
    assert endpoint.taken == expected


class DataHub(Endpoint):
    """DataHub's endpoint for OpenLineage.

    It holds an event against the schema of OpenLineage, and each facet against that of
    its name, where it may stand: one that is not as it should be is refused.
    """

    path = "/openapi/openlineage/api/v1/lineage"
    taken_with = 202
    facets = MappingProxyType(
        {
            "run": {"parent", "errorMessage"},
            "job": {"jobType"},
            "dataset": {"schema", "columnLineage"},
            "inputFacets": {"dataQualityAssertions"},
            "outputFacets": {"outputStatistics"},
        }
    )

    def takes(self, headers: Message, event: Any) -> bool:
        assert headers["Content-Type"] == "application/json"
        assert headers["Authorization"] == "Bearer a-token"
        checked([event])
        found = [("run", event["run"]["facets"]), ("job", event["job"]["facets"])]
        for side, own in (("inputs", "inputFacets"), ("outputs", "outputFacets")):
            for dataset in event[side]:
                found.append(("dataset", dataset.get("facets", {})))
                found.append((own, dataset.get(own, {})))
                assert not dataset.keys() - {"namespace", "name", "facets", own}
        return all(facets.keys() <= self.facets[place] for place, facets in found)


def test_datahub_takes_the_events_with_the_settings_of_the_recipe(
    day_4: Clone, played: Played
) -> None:
    settings = dict(re.findall(r"^export (OPENLINEAGE_\w+)=(\S+)", PAGE, re.MULTILINE))
    assert settings.keys() == {
        "OPENLINEAGE_URL",
        "OPENLINEAGE_ENDPOINT",
        "OPENLINEAGE_API_KEY",
    }
    datahub = DataHub()
    with datahub.listening(0) as port:
        fault = sent(
            day_4,
            port,
            OPENLINEAGE_ENDPOINT=settings["OPENLINEAGE_ENDPOINT"],
            OPENLINEAGE_API_KEY="a-token",
        )
    assert fault is None
    assert len(datahub.taken) > 100


@pytest.mark.long
def test_datahub_reads_what_the_recipe_names_after_a_run(
    day_4: Clone, played: Played, tmp_path: Path
) -> None:
    (copy,) = re.findall(r"^cp .*$", PAGE, re.MULTILINE)
    subprocess.run(copy.split(), cwd=day_4.root, check=True)
    done = day_4.cli("docs")
    assert done.returncode == 0, done.stderr
    config = recipe()["source"]["config"]
    for name in [
        config["manifest_path"],
        config["catalog_path"],
        *config["run_results_paths"],
    ]:
        assert json.loads((day_4.root / name).read_text())["metadata"], name
    (tmp_path / "recipe.yml").write_text(yaml.safe_dump(recipe()))
    found = read_by_datahub(day_4.root, tmp_path)
    assert found["failures"] == []
    # It warns of dbt's hooks and analyses, which are nodes as well, and of no model.
    assert not any("model.seedbed" in one for one in found["warnings"])
    sunk = (tmp_path / "sunk.json").read_text()
    built = {
        f"seedbed.{schema}.{name}"
        for schema, name in day_4.query(
            "select table_schema, table_name from information_schema.tables "
            "where table_schema in ('bronze', 'staging', 'silver', 'gold')"
        )
    }
    there = {*re.findall(r"dataPlatform:postgres,([\w.]+),PROD", sunk)}
    assert built <= there
    # By these names the events' datasets are the same ones.
    assert there >= {
        dataset["name"]
        for event in lineage_of(day_4, played.results[4].run_id)
        for dataset in event["outputs"]
        if dataset["namespace"].startswith("postgres://")
    }
    assert '"urn:li:tag:dbt:pii.email"' in sunk
    assert '"urn:li:corpGroup:commerce"' in sunk
    assert sunk.count('"assertionRunEvent"') > 100
    field = "urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:dbt,seedbed.{}"
    assert field.format("silver.order_items,PROD),quantity)") in sunk
    assert field.format("gold.fct_orders,PROD),item_count)") in sunk


def read_by_datahub(root: Path, folder: Path) -> dict[str, Any]:
    """What DataHub's own reader says of a recipe in the project at `root`."""
    lock = "tests/datahub/requirements.lock"
    set_up = ["./seedbed", "--set-up-beside", "datahub", lock, "60", "0.2"]
    subprocess.run(set_up, cwd=REPOSITORY, check=True)
    program = REPOSITORY / ".venv" / "datahub" / "bin" / "python"
    check = REPOSITORY / "tests" / "datahub" / "check.py"
    done = subprocess.run(
        [program, check, folder / "recipe.yml", folder / "sunk.json"],
        cwd=root,
        env={"DATAHUB_TELEMETRY_ENABLED": "false", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = [n for n in done.stdout.splitlines() if n.startswith("found:")]
    found: dict[str, Any] = json.loads(line.removeprefix("found:"))
    return found
