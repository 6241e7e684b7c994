"""What docker-compose.yml promises, as far as it shows without Docker."""

import json
import re
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from ingest.settings import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text()
FILE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
# These end when they are done.
ONCE = {"bucket", "airflow-init"}
SMALL = {"mysql", "postgres", "minio", "bucket"}


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
    example = (ROOT / ".env.example").read_text()
    settable = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", example, re.MULTILINE))
    secret = re.compile("PASSWORD|SECRET|FERNET")
    for name, rest in re.findall(r"(?<!\$)\$\{([A-Z_]+)([^}]*)\}", TEXT):
        assert name in settable, name
        if secret.search(name):
            assert settable[name] == "", f"{name} has a default in .env.example"
            assert not rest.startswith(":-"), f"{name} has a default"
    for name, service in SERVICES.items():
        for variable, value in (service.get("environment") or {}).items():
            if secret.search(variable) and not variable.endswith("_FILE"):
                assert str(value).startswith("${"), f"{name}: {variable}"


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
