"""Lineage of a whole project, as OpenLineage's and DataHub's own schemas have it."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ingest import control
from orchestration.watch import columns, lineage
from tests.clone import REPOSITORY, Clone
from tests.conftest import Played
from tests.lineage import assert_chain, checked, lineage_of


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

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.limit = 0

    @contextmanager
    def listening(self, port: int) -> Iterator[int]:
        """Listen at a port, 0 for any; with its number."""
        endpoint = self

        class Web(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                is_taken = len(endpoint.taken) < endpoint.limit
                if is_taken and self.path == "/api/v1/lineage":
                    endpoint.taken.append(json.loads(body))
                self.send_response(201 if is_taken else 503)
                self.end_headers()

            def log_message(self, format: str, *words: object) -> None:
                """Nobody reads it."""

        with ThreadingHTTPServer(("127.0.0.1", port), Web) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield server.server_address[1]
            server.shutdown()


def sent(clone: Clone, port: int) -> str | None:
    """Send what waits; the fault that was met."""
    url = f"http://127.0.0.1:{port}"
    with clone.inside(OPENLINEAGE_URL=url), control.connect() as connection:
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


def read_by_datahub(file: Path) -> dict[str, Any]:
    """What DataHub's own reader makes of a file of proposals."""
    lock = "tests/datahub/requirements.lock"
    set_up = ["./seedbed", "--set-up-beside", "datahub", lock, "20", "0.1"]
    subprocess.run(set_up, cwd=REPOSITORY, check=True)
    done = subprocess.run(
        [".venv/datahub/bin/python", "tests/datahub/check.py", str(file)],
        cwd=REPOSITORY,
        env={"DATAHUB_TELEMETRY_ENABLED": "false", "HOME": str(file.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = [n for n in done.stdout.splitlines() if n.startswith("found:")]
    found: dict[str, Any] = json.loads(line.removeprefix("found:"))
    return found


@pytest.fixture
def proposals(day_4: Clone, tmp_path: Path) -> list[dict[str, Any]]:
    """What `./seedbed lineage export` writes after the last day."""
    file = tmp_path / "datahub.json"
    done = day_4.cli("lineage", "export", "--to", str(file))
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(file.read_text())
    return found


def test_datahub_reads_every_proposal_and_refuses_a_bad_one(
    proposals: list[dict[str, Any]], tmp_path: Path
) -> None:
    (bad, *_) = [p for p in proposals if p["aspectName"] == "upstreamLineage"]
    bad = json.loads(json.dumps(bad))
    del bad["aspect"]["json"]["upstreams"][0]["dataset"]
    file = tmp_path / "with_a_bad_one.json"
    file.write_text(json.dumps([*proposals, bad]))
    found = read_by_datahub(file)
    assert len(found["failures"]) == 1
    assert "missing required field: dataset" in found["failures"][0]
    assert sum(found["read"].values()) == len(proposals)


def test_each_dataset_of_the_export_is_described_and_reads_one_that_is_there(
    day_4: Clone, proposals: list[dict[str, Any]]
) -> None:
    aspects: dict[str, dict[str, Any]] = {}
    for one in proposals:
        about = aspects.setdefault(one["entityUrn"], {})
        assert one["aspectName"] not in about
        about[one["aspectName"]] = one["aspect"]["json"]
    datasets = {u: a for u, a in aspects.items() if u.startswith("urn:li:dataset:")}
    tags = {u for u in aspects if u.startswith("urn:li:tag:")}
    fields = {
        f"urn:li:schemaField:({urn},{field['fieldPath']})"
        for urn, about in datasets.items()
        for field in about["schemaMetadata"]["fields"]
    }
    undone = set(datasets)
    for urn, about in datasets.items():
        assert about["datasetProperties"]["description"], urn
        assert about["ownership"]["owners"], urn
        named = [t["tag"] for t in about["globalTags"]["tags"]]
        assert named
        assert {*named} <= tags
        lineage = about.get("upstreamLineage", {"upstreams": []})
        for above in lineage["upstreams"]:
            assert above["dataset"] in datasets, (urn, above)
            undone.discard(urn)
        for fine in lineage.get("fineGrainedLineages", []):
            assert {*fine["upstreams"], *fine["downstreams"]} <= fields
            places = {f.partition("(")[2].rpartition(",")[0] for f in fine["upstreams"]}
            assert places <= {above["dataset"] for above in lineage["upstreams"]}
    # What reads nothing is a source, a control table, or made of nothing.
    names = {urn.split(",")[1] for urn in undone if "mysql" not in urn}
    names = {name for name in names if not name.startswith("seedbed.audit.")}
    assert names == {"seedbed.gold.dim_date"}
    built = {
        f"seedbed.{schema}.{name}"
        for schema, name in day_4.query(
            "select table_schema, table_name from information_schema.tables "
            "where table_schema in ('bronze', 'staging', 'silver', 'gold')"
        )
    }
    there = {u.split(",")[1] for u in datasets if "dataPlatform:postgres" in u}
    assert built <= there
    (customers,) = [u for u in datasets if ",seedbed.silver.customers," in u]
    (email,) = [
        field
        for field in datasets[customers]["schemaMetadata"]["fields"]
        if field["fieldPath"] == "email"
    ]
    assert email["globalTags"] == {"tags": [{"tag": "urn:li:tag:pii.email"}]}
