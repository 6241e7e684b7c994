"""What docker-compose.yml promises, as far as it shows without Docker."""

import json
import re
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from ingest.seed import metadata
from ingest.settings import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text()
FILE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
# These end when they are done.
ONCE = {"bucket", "airflow-init"}
SMALL = {"mysql", "postgres", "minio"}
EXAMPLE = dict(
    re.findall(r"^#?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
)
INTERPOLATED = re.findall(r"(?<!\$)\$\{([A-Z_]+)([^}]*)\}", TEXT)
# Only the command line's demo writes to a source.
OUTSIDE = {"SEEDBED_DEMO_URL"}


def test_the_file_is_valid_by_the_schema_of_compose_files() -> None:
    schema = ROOT / "tests" / "compose" / "compose_spec.json"
    validator = Draft7Validator(json.loads(schema.read_text()))
    # The name of a project came to the specification later.
    file = {key: value for key, value in FILE.items() if key != "name"}
    assert [error.message for error in validator.iter_errors(file)] == []
    file["services"] = SERVICES | {"postgres": {"image": "postgres", "port": 5432}}
    (error,) = validator.iter_errors(file)
    assert "'port'" in error.message


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_pinned_and_watched(name: str) -> None:
    service = SERVICES[name]
    _, _, tag = service["image"].rpartition(":")
    assert re.search(r"\d+\.\d+\.\d+|RELEASE\.|^\d+\.\d+$", tag), service["image"]
    assert ("healthcheck" in service) == (name not in ONCE)
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:")
    assert bool(service.get("profiles")) == (name not in SMALL)


def test_every_password_is_of_ones_own() -> None:
    secret = re.compile("PASSWORD|SECRET|FERNET")
    for name, rest in INTERPOLATED:
        assert name in EXAMPLE, name
        if secret.search(name):
            assert EXAMPLE[name] == "", f"{name} has a default in .env.example"
            assert not rest.startswith(":-"), f"{name} has a default"
    for name, service in SERVICES.items():
        for variable, value in (service.get("environment") or {}).items():
            if secret.search(variable) and not variable.endswith("_FILE"):
                is_own = value is None or str(value).startswith("${")
                assert is_own, f"{name}: {variable}"


def test_every_variable_of_the_example_reaches_whoever_reads_it() -> None:
    passed = FILE["x-seedbed"]
    own = {name for name, _ in INTERPOLATED}
    assert {*EXAMPLE} - {*passed} - own == OUTSIDE
    # What is passed as it is can be written in .env, and is described there.
    assert {name for name, value in passed.items() if value is None} <= {*EXAMPLE}
    readers = {n for n, s in SERVICES.items() if "docker/airflow" in str(s)}
    assert {"metrics", "airflow-worker", "airflow-dag-processor"} <= readers
    for name in readers:
        assert passed.items() <= SERVICES[name]["environment"].items(), name
    urls = {source.url_env for source in metadata.load_sources(ROOT).values()}
    assert urls <= {*passed}, "a source's url_env has no line below x-seedbed"


@pytest.mark.parametrize(
    "profile", sorted({p for s in SERVICES.values() for p in s.get("profiles", [""])})
)
def test_nothing_that_ends_by_itself_fails_those_who_wait(profile: str) -> None:
    started = {
        name: service
        for name, service in SERVICES.items()
        if not service.get("profiles") or profile in service["profiles"]
    }
    awaited = {
        other
        for service in started.values()
        for other, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    assert ONCE & {*started} <= awaited
    # No dependency is one of another profile alone, which compose refuses.
    for name, service in started.items():
        assert {*service.get("depends_on", {})} <= {*started}, name


def test_what_is_mounted_is_there() -> None:
    for name, service in SERVICES.items():
        for mount in service.get("volumes", []):
            source = mount.partition(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), f"{name}: {mount}"
            else:
                assert source in FILE["volumes"], f"{name}: {mount}"
        for other in service.get("depends_on", {}):
            assert other in SERVICES


def test_workers_can_be_many() -> None:
    worker = SERVICES["airflow-worker"]
    assert "container_name" not in worker
    assert "ports" not in worker
