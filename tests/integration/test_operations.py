"""What operators see of a table that is blocked and heals: alerts, metrics, run log."""

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from jsonschema import ValidationError
from prometheus_client.parser import text_string_to_metric_families

from ingest import control
from orchestration import runner
from orchestration.watch import alerts, endpoints, metrics, outbox
from orchestration.watch.channels import Message
from tests.clone import Clone, quiet
from tests.lineage import assert_chain, check, checked, lineage_of

TABLE = "shop.orders"
# Columns of the control tables that no two runs share.
UNLIKE = (
    *("run_id", "batch_id", "manifest_key", "step_id", "steps", "seconds"),
    *("started_at", "ended_at", "planned_at", "decided_at", "released_at"),
    *("checked_at", "profiled_at", "observed_at", "seen_at", "keys_scanned_at"),
    *("_observed_at",),
)


@dataclass
class Story:
    """What was told and measured of a run that blocks, and of one that heals."""

    results: list[runner.Run] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    still_open: list[Any] = field(default_factory=list)
    posts: list[list[tuple[str, Any]]] = field(default_factory=list)
    mails: list[list[str]] = field(default_factory=list)
    samples: list[dict[tuple[str, str], float]] = field(default_factory=list)


def move(clone: Clone) -> runner.Run:
    return runner.run(
        clone.tables(TABLE), command="run", with_build=False, report=quiet
    )


def measured() -> dict[tuple[str, str], float]:
    return {
        (
            sample.name,
            sample.labels.get("layer") or sample.labels.get("source_table", ""),
        ): sample.value
        for family in text_string_to_metric_families(metrics.text())
        for sample in family.samples
        if sample.name.startswith("seedbed_")
    }


def sent(story: Story) -> None:
    with endpoints.listening() as (received, variables):
        with pytest.MonkeyPatch.context() as patch, control.connect() as connection:
            for name, value in variables.items():
                patch.setenv(name, value)
            patch.setenv("SEEDBED_NOTIFY_SUCCESS", "true")
            assert alerts.send(connection) == {}
            assert alerts.send(connection) == {}  # nothing is told twice
    story.posts.append(received.posts)
    story.mails.append(received.mails)


@pytest.fixture(scope="module")
def story(stack: Clone) -> Iterator[Story]:
    stack.restore("empty")
    told = Story()
    with stack.inside():
        stack.day(1)
        told.results.append(move(stack))
        stack.day(3)
        told.results.append(move(stack))
        told.samples.append(measured())
        # Everything refuses; then nothing does.
        with endpoints.listening(status=500) as (_, variables):
            with pytest.MonkeyPatch.context() as patch, control.connect() as connection:
                for name, value in variables.items():
                    patch.setenv(name, value)
                patch.setenv("SEEDBED_MAIL_URL", "smtp://127.0.0.1:1")
                told.refused = alerts.send(connection, pauses=())
        with control.connect() as connection:
            told.still_open = alerts.still_open(connection)
        sent(told)
        told.results.append(move(stack))  # the same rows again: the same incident
        sent(told)
        stack.day(4)
        told.results.append(move(stack))
        told.samples.append(measured())
        sent(told)
        yield told


def test_a_blocked_table_is_one_alert_from_its_first_bad_batch_to_the_good_one(
    stack: Clone, story: Story
) -> None:
    assert [r.state for r in story.results] == ["done", "blocked", "blocked", "done"]
    ((severity, kind, table, _, message),) = story.still_open
    assert (severity, kind, table) == ("block", "table_blocked", TABLE)
    assert "key_not_null" in message
    ((is_over, detected, recovered),) = stack.query(
        "select closed_at is not null, raised_at > occurred_at, closed_at > raised_at "
        "from audit.alert"
    )
    assert is_over
    assert detected
    assert recovered


def test_what_an_endpoint_refuses_is_sent_later_and_only_once(
    stack: Clone, story: Story
) -> None:
    assert story.refused == {
        "slack": "slack answered 500",
        "pagerduty": "pagerduty answered 500",
        "mail": "mail is out of reach: ConnectionRefusedError",
    }
    first, again, healed = story.posts
    texts = [body["text"] for path, body in first if path == "/slack"]
    assert len(texts) == 1  # a group: the alert, and the run that was done before it
    assert f"{TABLE}: table blocked" in texts[0]
    assert "run done" in texts[0]
    (paged,) = [body for path, body in first if path == "/pagerduty"]
    assert paged["event_action"] == "trigger"
    assert again == []
    (resolved,) = [body for path, body in healed if path == "/pagerduty"]
    assert resolved["event_action"] == "resolve"
    assert resolved["dedup_key"] == paged["dedup_key"]
    assert [len(mails) for mails in story.mails] == [1, 0, 1]
    assert f"{TABLE}: table blocked: over" in story.mails[-1][0]
    waits = stack.value("select count(*) from audit.delivery where sent_at is null")
    assert waits == 0
    of_runs = "select distinct channel from audit.delivery where subject like 'run/%%'"
    assert {channel for (channel,) in stack.query(of_runs)} == {"mail", "slack"}


def test_the_metrics_are_the_control_tables(stack: Clone, story: Story) -> None:
    blocked, healed = story.samples
    assert blocked["seedbed_table_blocked", TABLE] == 1
    assert healed["seedbed_table_blocked", TABLE] == 0
    assert healed["seedbed_alerts_open", ""] == 0
    assert healed["seedbed_table_age_seconds", TABLE] < 600
    assert healed["seedbed_up", ""] == 1
    for layer in ("raw", "bronze"):
        pages = stack.s3().get_paginator("list_objects_v2")
        kept = sum(
            entry["Size"]
            for page in pages.paginate(Bucket="lake", Prefix=f"{layer}/")
            for entry in page.get("Contents", [])
            if entry["Key"].endswith(".parquet")
        )
        assert 0 < healed["seedbed_lake_bytes_total", layer] == kept


def test_each_refused_login_is_counted(stack: Clone, story: Story) -> None:
    with stack.inside():
        before = metrics.failed_logins()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PGPASSWORD", "wrong")
            assert "seedbed_up 0.0" in metrics.text()
        assert before is not None
        assert metrics.failed_logins() == before + 1


def test_the_journal_has_run_and_table_on_its_lines_and_no_secret(
    stack: Clone, story: Story
) -> None:
    text = (stack.root / ".seedbed" / "log" / "seedbed.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    run_id = story.results[1].run_id
    mine = [line for line in lines if line.get("run_id") == run_id]
    events = [line["event"] for line in mine if line["event"] != "progress"]
    assert events == [
        "run.started",
        *(
            f"{name}.{moment}"
            for name in ("extract", "load", "validate")
            for moment in ("started", "done")
        ),
        "run.ended",
    ]
    steps = [line for line in mine if line["event"].startswith(("extract", "load"))]
    assert {line["table"] for line in steps} == {TABLE}
    for secret in stack.secrets:
        assert secret not in text


def test_a_run_has_its_messages_sent_by_a_process_of_its_own(
    stack: Clone, story: Story
) -> None:
    file = stack.root / "told.jsonl"
    stack.query("delete from audit.delivery")
    with stack.inside(SEEDBED_ALERT_FILE=str(file)):
        began = time.monotonic()
        outbox.send_later()
        while not file.exists() and time.monotonic() - began < 120:
            time.sleep(0.1)
        outbox._children[-1].wait(120)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(one["state"], one["table"]) for one in lines] == [
        ("opened", TABLE),
        ("closed", TABLE),
    ]


def test_a_message_without_a_table_has_a_title_and_a_runbook() -> None:
    facts = ("opened", "run_failed", "", "block", "why", "", "2026-01-01")
    message = Message("alert/1/opened", "seedbed/run_failed", *facts)
    assert message.title == "run failed"
    assert message.page == "docs/runbooks/run-failed.md"


def test_each_hop_of_the_lineage_ends_and_reads_what_was_produced(
    stack: Clone, story: Story
) -> None:
    lineage = [lineage_of(stack, result.run_id) for result in story.results]
    # The run, extract, load and gate.
    assert [len(events) for events in lineage] == [8] * len(story.results)
    assert_chain(lineage)


def test_each_event_and_facet_is_valid_by_the_schema_that_it_names(
    stack: Clone, story: Story
) -> None:
    lineage = [lineage_of(stack, result.run_id) for result in story.results]
    seen = set().union(*map(checked, lineage))
    assert {"ParentRunFacet", "ColumnLineageDatasetFacet"} <= seen
    event = lineage[0][0]
    with pytest.raises(ValidationError):
        check({**event, "eventTime": None}, event["schemaURL"])


def test_a_run_is_the_same_and_waits_for_none_while_all_endpoints_are_silent(
    stack: Clone, story: Story
) -> None:
    def moved(**variables: str) -> tuple[list[str], dict[str, list[str]]]:
        stack.restore("empty")
        stack.day(1)
        with stack.inside(**variables):
            result = move(stack)
            # The process that tells was started, and still waits for an answer.
            sending = [child for child in outbox._children if child.poll() is None]
            assert len(sending) == bool(variables)
            for child in sending:
                child.terminate()
                child.wait(60)
        kept = [event["eventType"] for event in lineage_of(stack, result.run_id)]
        rows = stack.contents(["audit", "bronze"], without=UNLIKE, any_observation=True)
        del rows["audit.delivery"]
        return kept, rows

    alone = moved()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        here = f"http://127.0.0.1:{silent.getsockname()[1]}"
        told = moved(
            OPENLINEAGE_URL=here,
            SEEDBED_SLACK_WEBHOOK_URL=here,
            SEEDBED_NOTIFY_SUCCESS="true",
        )
    assert told == alone
