"""Lineage as others read it: by the schemas of OpenLineage, and as a chain."""

import functools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from tests.clone import REPOSITORY, Clone

PAGE = (REPOSITORY / "docs" / "lineage.md").read_text()


def recipe() -> dict[str, Any]:
    """The recipe for DataHub, as the page has it."""
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def lineage_of(stack: Clone, run_id: str) -> list[dict[str, Any]]:
    """The events of a run, as its file has them."""
    text = (stack.root / ".seedbed" / "lineage" / f"{run_id}.jsonl").read_text()
    assert not any(secret in text for secret in stack.secrets)
    return [json.loads(line) for line in text.splitlines()]


def assert_chain(lineage: Iterable[list[dict[str, Any]]]) -> None:
    """Each hop ends, is the run's, and reads a source or what was produced before.

    Sources are those of the metadata seed, and the control tables.
    """
    produced: set[tuple[str, str]] = set()
    for events in lineage:
        begun = [e["run"]["runId"] for e in events if e["eventType"] == "START"]
        ended = [e["run"]["runId"] for e in events if e["eventType"] != "START"]
        assert len(begun) == len({*begun})
        assert sorted(begun) == sorted(ended)
        assert events[0]["job"]["name"] == "run"
        for event in events[1:-1]:
            parent = event["run"]["facets"]["parent"]["run"]["runId"]
            assert parent == events[0]["run"]["runId"]
            for dataset in event["inputs"]:
                place = dataset["namespace"], dataset["name"]
                is_source = place[0].startswith("mysql://") or ".audit." in place[1]
                assert place in produced or is_source, place
            for dataset in event["outputs"]:
                produced.add((dataset["namespace"], dataset["name"]))


def facets(found: Any) -> Iterator[dict[str, Any]]:
    if isinstance(found, dict):
        if "_schemaURL" in found:
            yield found
        for value in found.values():
            yield from facets(value)
    elif isinstance(found, list):
        for value in found:
            yield from facets(value)


@functools.cache
def registry() -> Registry[Any]:
    """The schemas of OpenLineage."""
    here = Path(__file__).with_name("openlineage")
    schemas = [json.loads(file.read_text()) for file in here.glob("*.json")]
    return Registry().with_resources(
        [(schema["$id"], Resource.from_contents(schema)) for schema in schemas]
    )


def check(found: dict[str, Any], schema: str) -> None:
    """Raise where `found` is not as `schema` says."""
    Draft202012Validator(
        {"$ref": schema}, registry=registry(), format_checker=FormatChecker()
    ).validate(found)


def checked(events: list[dict[str, Any]]) -> set[str]:
    """Check events by the schemas that they name; the facets that were seen."""
    seen = set()
    for event in events:
        check(event, event["schemaURL"])
        for facet in facets(event):
            check(facet, facet["_schemaURL"])
            seen.add(facet["_schemaURL"].rpartition("/")[2])
    return seen
