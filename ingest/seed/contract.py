"""Contracts: what a table promises to those who read it, and what a change breaks.

A contract is a document of the Open Data Contract Standard (ODCS), derived from the
metadata seed. Two of them are compared: the one of a git revision or a file with the
one of the seed as it is. A change that may break a reader needs a new major version
(`contract_version` in options.csv).
"""

from __future__ import annotations

import io
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ingest.errors import ConfigurationError
from ingest.seed import beside, metadata, types
from ingest.seed.added import CURRENT, Added
from ingest.seed.checks import CHECKS
from ingest.seed.metadata import Table

Document = dict[str, Any]

_SHAPES = beside.facts(__file__)

_ENGINES = {"gate": "greatExpectations", "model": "dbt"}


@dataclass(frozen=True)
class Change:
    """A difference between two contracts, in words, without a full stop."""

    breaking: bool
    text: str


@dataclass(frozen=True)
class Comparison:
    """Two contracts of a table: versions ('' where there is none) and changes."""

    table: str
    was: str
    now: str
    changes: tuple[Change, ...]
    is_draft: bool = False

    @property
    def breaks(self) -> bool:
        """Whether a change may break a reader."""
        return any(change.breaking for change in self.changes)

    @property
    def fault(self) -> str:
        """What the versions have to be instead, or ''."""
        if not self.was or not self.now or self.is_draft:
            return ""
        was, now = _numbers(self.was), _numbers(self.now)
        if now < was:
            return f"the version went back from {self.was} to {self.now}"
        # Before 1.0.0 the minor number stands for a breaking change, as in SemVer.
        digits = 1 if was[0] else 2
        if self.breaks and now[:digits] == was[:digits]:
            number = (was[0] + 1, 0, 0) if was[0] else (0, was[1] + 1, 0)
            wanted = ".".join(map(str, number))
            return (
                f"a breaking change needs version {wanted} or later, and it is "
                f"{self.now}: set contract_version in options.csv"
            )
        return ""


def contract(table: Table) -> Document:
    """The contract of a table, as an ODCS document."""
    return _filled(
        "contract",
        id=table.id,
        model=table.model,
        version=table.options.contract_version,
        status=table.options.contract_status,
        source=table.source.name,
        description=table.description,
        schema=_schema(table),
        latency=table.options.freshness_error_minutes,
        owner=table.owner,
        load_type=table.load_type.name,
    )


def _filled(shape: str, **values: Any) -> Document:
    found: Document = beside.filled(_SHAPES[shape], values)
    return found


def text(document: Document) -> str:
    """The document as YAML."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=88)


def _schema(table: Table) -> list[Document]:
    key = " and ".join(c.name for c in table.key)
    current = _filled(
        "object",
        name=table.model,
        kind="view" if table.has_history else "table",
        description=f"{table.description}.",
        grain=f"one row per {key}" if key else "the rows of the newest batch",
        columns=[*_columns(table, is_current=True), *map(_column, CURRENT)],
        rules=_rules(table, ""),
    )
    if not table.has_history:
        return [current]
    kind = table.load_type
    history = _filled(
        "object",
        name=table.derived,
        kind="view" if kind.is_snapshot else "table",
        description=f"Each version of the rows of {table.model}.",
        grain=f"one row per version of {key}",
        columns=[*_columns(table, is_current=False), *map(_column, kind.history)],
    )
    return [current, history]


def _columns(table: Table, *, is_current: bool) -> Iterator[Document]:
    for column in table.columns:
        position = column.key_position if is_current else None
        yield _column(
            (column.name, column.type.name, column.description),
            required=not column.nullable,
            is_key=True if position else None,
            position=position,
            classification=f"pii: {column.pii}" if column.pii else None,
            cleansing=" ".join(table.cleansing(column)) if column.cleanse else None,
            rules=_rules(table, column.name) if is_current else None,
        )


def _column(column: Added, **facts: Any) -> Document:
    name, kind, description = column
    found = types.parse(kind)
    return _filled(
        "column",
        name=name,
        logical=found.contract,
        kind=kind,
        description=description,
        options={"maxLength": found.length} if found.length else None,
        **facts,
    )


def _rules(table: Table, column: str) -> list[Document] | None:
    """The rules about the column, '' for those about the table; None for none."""
    found = [
        _filled(
            "rule",
            name=rule.id,
            engine=_ENGINES[rule.layer],
            text=rule.text,
            dimension=rule.check.dimension,
            severity=rule.severity,
            description=rule.description or None,
        )
        for rule in table.rules
        if rule.column == column
    ]
    return found or None


# -- what is compared -------------------------------------------------------------


def of_base(root: Path, base: str) -> dict[str, Document]:
    """The contracts by table that `base` holds: a file, or a revision of git.

    Raises ConfigurationError where it is neither, or its seed can't be read.
    """
    file = Path(base)
    if file.is_file():
        return _of_file(file)
    archived = subprocess.run(
        ["git", "archive", "--format=zip", base, "--", metadata.FOLDER],
        cwd=root,
        capture_output=True,
        check=False,
    )
    if archived.returncode:
        raise ConfigurationError(
            f"--base {base} is neither a file nor a revision of git that has "
            f"{metadata.FOLDER}: {archived.stderr.decode(errors='replace').strip()}.",
            "name one such as HEAD, main or v1.2, or a contract that "
            "`./seedbed contract show` wrote",
        )
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(io.BytesIO(archived.stdout)).extractall(folder)
        try:
            tables = metadata.enabled(metadata.load(Path(folder)))
        except metadata.MetadataError as error:
            raise ConfigurationError(
                f"the seed of {base} can't be read by this version of Seedbed, so "
                f"nothing was compared. {error}"
            ) from None
    return {table.id: contract(table) for table in tables}


def _of_file(file: Path) -> dict[str, Document]:
    try:
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
        found = {document["id"]: document for document in documents}
        for document in documents:
            _numbers(document["version"])
            for thing in document["schema"]:
                for column in thing["properties"]:
                    types.parse(column["physicalType"])
    except (yaml.YAMLError, LookupError, TypeError, ValueError) as e:
        raise ConfigurationError(
            f"{file} is no contract as `./seedbed contract show` writes it: "
            f"{type(e).__name__}: {str(e).splitlines()[0]}."
        ) from None
    return found


def compare_all(
    was: dict[str, Document], tables: Iterable[Table], *, whole: bool
) -> list[Comparison]:
    """Compare each table's contract; with `whole`, those that are gone as well."""
    now = {table.id: contract(table) for table in tables}
    names = sorted({*now, *was} if whole else now)
    return [_compare(name, was.get(name), now.get(name)) for name in names]


def _compare(table: str, was: Document | None, now: Document | None) -> Comparison:
    """What changed from one contract of a table to the next; one may be missing."""
    if was and now:
        changes = tuple(_changes(was, now))
    elif was:
        is_active = was["status"] == "active"
        first = "; give it contract_status deprecated first" if is_active else ""
        changes = (Change(is_active, f"the table is gone{first}"),)
    else:
        changes = (Change(False, "the table is new"),)
    return Comparison(
        table,
        was["version"] if was else "",
        now["version"] if now else "",
        changes,
        is_draft=bool(was and was["status"] == "draft"),
    )


def _changes(was: Document, now: Document) -> Iterator[Change]:
    for part, words in (("team", "the owner"), ("description", "the description")):
        if was.get(part) != now.get(part):
            yield Change(False, f"{words} is another one")
    if was["status"] != now["status"]:
        yield Change(False, f"the status is {now['status']}, not {was['status']}")
    before, after = map(_latency, (was, now))
    if before != after:
        is_older = before is not None and (after is None or after > before)
        yield Change(is_older, f"data may be {after} minutes old, not {before}")
    yield from _each("", was["schema"], now["schema"], _object_changes)


def _latency(document: Document) -> int | None:
    promises = {p["property"]: p for p in document.get("slaProperties", [])}
    return int(promises["latency"]["value"]) if "latency" in promises else None


def _each(
    prefix: str,
    was: list[Document],
    now: list[Document],
    changes: Callable[[str, Document, Document], Iterator[Change]],
) -> Iterator[Change]:
    """Which of the named things are gone or new, and the changes of the others."""
    others = {other["name"]: other for other in now}
    for one in was:
        name = prefix + one["name"]
        other = others.pop(one["name"], None)
        if other is None:
            yield Change(True, f"{name} is gone")
        else:
            yield from changes(name, one, other)
    for name in others:
        yield Change(False, f"{prefix}{name} is new")


def _object_changes(name: str, was: Document, now: Document) -> Iterator[Change]:
    before, after = map(_key, (was, now))
    if before != after:
        yield Change(True, f"{name}: the key is {after}, not {before}")
    yield from _each(f"{name}.", was["properties"], now["properties"], _column_changes)
    yield from _rule_changes(name, was, now)


def _key(thing: Document) -> str:
    keyed = [c for c in thing["properties"] if c.get("primaryKey")]
    keyed.sort(key=lambda c: (c["primaryKeyPosition"], c["name"]))
    return ", ".join(c["name"] for c in keyed) or "none"


def _column_changes(name: str, was: Document, now: Document) -> Iterator[Change]:
    before, after = was["physicalType"], now["physicalType"]
    if before != after:
        wider = types.widens(types.parse(before).postgres, types.parse(after).postgres)
        yield Change(not wider, f"{name} is {after}, not {before}")
    if was.get("required") and not now.get("required"):
        yield Change(True, f"{name} may be NULL")
    elif was.get("required") != now.get("required"):
        yield Change(False, f"{name} is never NULL")
    for part, words in (
        ("description", "has another description"),
        ("classification", "has another class of personal data"),
        ("transformLogic", "is cleansed in another way"),
    ):
        if was.get(part) != now.get(part):
            yield Change(False, f"{name} {words}")
    yield from _rule_changes(name, was, now)


def _rule_changes(name: str, was: Document, now: Document) -> Iterator[Change]:
    """A rule may be replaced by one that is at least as strong."""
    after = list(now.get("quality", []))
    for rule in was.get("quality", []):
        if rule in after:
            continue
        words = f"{name}: the rule {rule['implementation']!r} ({rule['severity']})"
        alike = [r for r in after if _check(r) == _check(rule)]
        if any(_as_strong(r, rule) for r in alike):
            yield Change(False, f"{words} is stricter, or in other words")
        elif alike:
            found = f"{alike[0]['implementation']!r} ({alike[0]['severity']})"
            yield Change(True, f"{words} is {found} now, which is weaker")
        else:
            yield Change(True, f"{words} is gone")
    known = {_check(r) for r in was.get("quality", [])}
    for rule in after:
        if _check(rule) not in known:
            yield Change(False, f"{name}: the rule {rule['implementation']!r} is new")


def _check(rule: Document) -> str:
    words: str = rule["implementation"]
    name = words.partition(" ")[0]
    # A table may have several of these, which differ by their argument.
    return words if name in CHECKS and CHECKS[name].repeatable else name


def _as_strong(now: Document, was: Document) -> bool:
    if was["severity"] == "block" and now["severity"] != "block":
        return False
    if was["engine"] == _ENGINES["gate"] and now["engine"] != was["engine"]:
        return False  # the gate finds it before it is released
    name, _, before = was["implementation"].partition(" ")
    after = now["implementation"].partition(" ")[2]
    if before == after or name not in CHECKS:
        return bool(before == after)
    return CHECKS[name].is_as_strict(after, before)


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = (int(part) for part in version.split("."))
    return major, minor, patch
