"""The bucket's versioning, its rules, and how what is written is encrypted."""

from collections.abc import Iterator
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from ingest import retention
from ingest.lake import Lake
from orchestration import runner
from tests.clone import Clone, quiet

OTHERS = {
    "ID": "the auditors'",
    "Filter": {"Prefix": "audit/"},
    "Status": "Enabled",
    "Expiration": {"Days": 3650},
}


@pytest.fixture(scope="module")
def other_store() -> Iterator[str]:
    """The address of an S3 that has keys of KMS, which the embedded store has not."""
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def bucket(
    stack: Clone, other_store: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """A client whose bucket `kept` is new and has a rule of somebody else's."""
    stack.start()
    monkeypatch.setitem(stack.env, "AWS_ENDPOINT_URL_S3", other_store)
    client = stack.s3()
    client.create_bucket(Bucket="kept")
    client.put_bucket_lifecycle_configuration(
        Bucket="kept", LifecycleConfiguration={"Rules": [OTHERS]}
    )
    yield client
    versions = client.list_object_versions(Bucket="kept")
    for entry in versions.get("Versions", []) + versions.get("DeleteMarkers", []):
        client.delete_object(
            Bucket="kept", Key=entry["Key"], VersionId=entry["VersionId"]
        )
    client.delete_bucket(Bucket="kept")


def rules(client: Any) -> dict[str, Any]:
    """The bucket's rules by ID."""
    answer = client.get_bucket_lifecycle_configuration(Bucket="kept")
    return {rule["ID"]: rule for rule in answer["Rules"]}


def set_up(clone: Clone, *, write: bool = True) -> list[str]:
    """`./seedbed lake` for a prefix of the bucket; the lines it told."""
    told: list[str] = []
    with clone.inside(SEEDBED_LAKE="s3://kept/our/lake"):
        changes = retention.apply(clone.tables(), told.append, write=write)
    assert changes == len(told)
    return told


def test_rules_follow_the_seed_and_leave_other_people_s_alone(
    stack: Clone, bucket: Any
) -> None:
    path = stack.root / "seeds" / "metadata" / "options.csv"
    before = path.read_text()
    path.write_text(before.rstrip("\n") + "\nshop,orders,raw_retention_days,90\n")
    try:
        planned = set_up(stack, write=False)
        assert list(rules(bucket)) == [OTHERS["ID"]]
        assert set_up(stack) == planned
    finally:
        path.write_text(before)
    found = rules(bucket)
    assert found.pop(OTHERS["ID"]) == OTHERS
    assert bucket.get_bucket_versioning(Bucket="kept")["Status"] == "Enabled"
    by_prefix = {rule["Filter"]["Prefix"]: rule for rule in found.values()}
    assert set(by_prefix) == {
        "our/lake/",
        "our/lake/raw/shop/orders/",
        "our/lake/rejects/shop/orders/",
    }
    assert by_prefix["our/lake/raw/shop/orders/"]["Expiration"] == {"Days": 90}
    whole = by_prefix["our/lake/"]
    assert whole["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
    assert whole["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7
    assert "Days" not in whole.get("Expiration", {})
    # Without the option its rules go, and then nothing is left to do.
    removed = set_up(stack)
    assert len(removed) == 2
    assert all(line.startswith("- our/lake/r") for line in removed)
    assert len(rules(bucket)) == 2
    assert set_up(stack) == []


def test_what_is_written_says_how_it_is_to_be_encrypted(
    stack: Clone, bucket: Any
) -> None:
    with stack.inside(SEEDBED_LAKE="s3://kept", SEEDBED_LAKE_SSE="AES256"):
        lake = Lake(stack.root)
        key = "raw/a/b/part-0000.parquet"
        lake.local(key).parent.mkdir(parents=True, exist_ok=True)
        lake.local(key).write_bytes(b"rows")
        lake.upload((lake.describe(key, 1),))
        lake.local(key).unlink()
    found = bucket.head_object(Bucket="kept", Key=key)
    assert found["ServerSideEncryption"] == "AES256"


def test_the_manifest_is_encrypted_as_well(day_2_due: Clone, bucket: Any) -> None:
    with day_2_due.inside(SEEDBED_LAKE="s3://kept", SEEDBED_LAKE_SSE="aws:kms:a-key"):
        result = runner.run(
            day_2_due.tables("suppliers"),
            command="run",
            with_build=False,
            report=quiet,
        )
    assert result.state == "done"
    keys = [e["Key"] for e in bucket.list_objects_v2(Bucket="kept")["Contents"]]
    assert any(key.endswith("_manifest.json") for key in keys)
    for key in keys:
        found = bucket.head_object(Bucket="kept", Key=key)
        assert found["ServerSideEncryption"] == "aws:kms", key
        assert found["SSEKMSKeyId"].endswith("a-key")


def test_the_command_says_what_it_would_do_and_then_that_all_is_well(
    stack: Clone,
) -> None:
    stack.start()
    store = stack.s3()
    try:
        done = stack.cli("lake", "--plan", **stack.env)
        assert done.returncode == 0, done.stderr
        assert "+ versioning of bucket lake" in done.stdout
        assert "Nothing was changed" in done.stdout
        assert stack.cli("lake", **stack.env).returncode == 0
        assert "as the seed says" in stack.cli("lake", **stack.env).stdout
    finally:
        store.delete_bucket_lifecycle(Bucket="lake")
        off = {"Status": "Suspended"}
        store.put_bucket_versioning(Bucket="lake", VersioningConfiguration=off)
