"""Retention in the bucket: versioning and lifecycle rules.

This lake's rules are recognised by their IDs, which name its prefix; other rules stay
as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ingest import settings
from ingest.errors import SeedbedError, ServiceError, first_line
from ingest.lake import Lake
from ingest.seed.metadata import Table

NONCURRENT_DAYS = 30
UNFINISHED_DAYS = 7


def apply(tables: Sequence[Table], tell: Callable[[str], None], *, write: bool) -> int:
    """Give the lake's bucket versioning and the rules that the seed asks for.

    `tell` gets a line for each change; returns their number. Without `write` nothing is
    changed.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return _apply(tables, tell, write)
    except (ClientError, BotoCoreError) as error:
        bucket = settings.lake().bucket
        raise ServiceError(
            f"the bucket {bucket} could not be set up: {first_line(error)}.",
            "Its keys need s3:GetBucketVersioning, s3:PutBucketVersioning, "
            "s3:GetLifecycleConfiguration and s3:PutLifecycleConfiguration on it "
            "(docs/security.md); some S3 stores do not have lifecycle rules.",
        ) from error


def _apply(tables: Sequence[Table], tell: Callable[[str], None], write: bool) -> int:
    place = settings.lake()
    client = Lake(settings.ROOT).client
    own = f"seedbed /{place.prefix} "
    changes = 0
    versioning = client.get_bucket_versioning(Bucket=place.bucket).get("Status")
    if versioning != "Enabled":
        changes += 1
        tell(f"+ versioning of bucket {place.bucket}")
        if write:
            client.put_bucket_versioning(
                Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"}
            )
    there = _rules(client, place.bucket)
    wanted = {rule["ID"]: rule for rule in _wanted(tables, own, place.prefix)}
    ours = {r["ID"]: r for r in there if r.get("ID", "").startswith(own)}
    for name in sorted({*ours, *wanted}):
        if ours.get(name) != wanted.get(name):
            sign = "-" if name not in wanted else "~" if name in ours else "+"
            tell(f"{sign} {_shown(wanted.get(name) or ours[name])}")
            changes += 1
    kept = [rule for rule in there if rule.get("ID", "") not in ours]
    rules: list[Any] = [*kept, *wanted.values()]
    if len(rules) > 1000:
        raise SeedbedError(
            f"bucket {place.bucket} would have {len(rules)} lifecycle rules, and S3 "
            "takes 1,000.",
            "Set raw_retention_days for fewer tables.",
        )
    if write and wanted != ours:
        client.put_bucket_lifecycle_configuration(
            Bucket=place.bucket, LifecycleConfiguration={"Rules": rules}
        )
    return changes


def _rules(client: Any, bucket: str) -> list[dict[str, Any]]:
    from botocore.exceptions import ClientError

    try:
        answer = client.get_bucket_lifecycle_configuration(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchLifecycleConfiguration":
            return []
        raise
    rules: list[dict[str, Any]] = answer["Rules"]
    return rules


def _wanted(tables: Sequence[Table], own: str, prefix: str) -> list[dict[str, Any]]:
    """The lake's rules: one for all of it, two for each table with a retention."""
    rules: list[dict[str, Any]] = [
        {
            "ID": f"{own}all",
            "Filter": {"Prefix": prefix},
            "Status": "Enabled",
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "NoncurrentVersionExpiration": {"NoncurrentDays": NONCURRENT_DAYS},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS},
        }
    ]
    for table in tables:
        days = table.options.raw_retention_days
        if days:
            rules += [
                {
                    "ID": f"{own}{folder}",
                    "Filter": {"Prefix": prefix + folder},
                    "Status": "Enabled",
                    "Expiration": {"Days": days},
                }
                for folder in (table.folder("raw"), table.folder("rejects"))
            ]
    return rules


def _shown(rule: dict[str, Any]) -> str:
    """A rule in a few words."""
    where = rule.get("Filter", {}).get("Prefix") or "everything"
    words = []
    if days := rule.get("Expiration", {}).get("Days"):
        words.append(f"expires after {days} days")
    if old := rule.get("NoncurrentVersionExpiration"):
        words.append(f"old versions expire after {old['NoncurrentDays']} days")
    if unfinished := rule.get("AbortIncompleteMultipartUpload"):
        days = unfinished["DaysAfterInitiation"]
        words.append(f"unfinished uploads end after {days} days")
    return f"{where}: {', '.join(words)}"
