"""Discover: propose the rows of the metadata seed for a source's tables.

What is proposed comes from the source's catalogue and a bounded look at its rows.
Rows are only ever added: what a person wrote stays, and differences are reported.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from ingest import sources
from ingest.errors import ConfigurationError
from ingest.seed import metadata, seedfile
from ingest.seed.discover import references, zones
from ingest.seed.discover.judge import Judge, Proposal
from ingest.seed.discover.names import Names
from ingest.seed.discover.privacy import is_of_persons, is_open
from ingest.seed.discover.rows import Row, differences, lacking_rows
from ingest.seed.metadata import Source
from ingest.seed.options import DEFAULTS

# Columns that share more texts than these are copies; fewer appear by chance.
BY_CHANCE = 4


@dataclass(frozen=True)
class Discovery:
    """What was found: new tables, and what differs in those that are known.

    What is to be known of the source's clock is among `differences`. `questions` are
    the columns by table of which a person has to say whether they hold personal data.
    """

    source: Source
    proposals: list[Proposal]
    differences: list[str]
    columns_added: int
    questions: dict[str, list[str]]


def discover(
    root: Path,
    name: str,
    patterns: Iterable[str] = (),
    *,
    url_env: str = "",
    new_columns: bool = False,
) -> Discovery:
    """Add rows for the tables of source `name` that the seed below `root` lacks.

    `patterns` are globs over the source's table names. `new_columns` adds to the
    known tables the columns that they lack. A source that the seed does not name is
    added if its URL is in the environment. Raises ConfigurationError or ServiceError.
    """
    tables = metadata.load(root)
    known = metadata.load_sources(root)
    source = known.get(name) or _new_source(name, url_env)
    kind = sources.of(source)
    there = {t.name: t for t in tables if t.source.name == name}
    found = kind.catalogue(source)
    if others := [t for n, t in there.items() if n not in found]:
        found |= kind.catalogue(source, others)
    globs = [g for pattern in patterns for g in pattern.split(",") if g]
    chosen = {
        n: t
        for n, t in found.items()
        if not globs or any(fnmatchcase(n, glob) for glob in globs)
    }
    if not chosen:
        raise ConfigurationError(
            f"schema {source.schema} of source {name} has no table "
            f"{' or '.join(globs) or 'that its user may SELECT from'}.",
            f"there are {', '.join(found) or 'none'}",
        )
    names = Names(root, tables)
    new: defaultdict[str, list[Row]] = defaultdict(list)
    with kind.connect(source) as session:
        if name in known:
            of_clock = zones.compare(source, kind, session)
        else:
            zone, of_clock = zones.derive(kind, session)
            source = replace(source, timezone=zone)
            facts = {n: getattr(source, n, "") for n in metadata.HEADERS["sources"]}
            new["sources"] = [facts | {"source": name}]
        proposals = [
            Judge(source, found, table, kind, session).propose(names)
            for n, table in chosen.items()
            if n not in there
        ]
    _classify_copies(proposals)
    _ask(proposals)
    references.settle(proposals, there)
    lines = [f"{name}: {of_clock}."] if of_clock else []
    for n, table in there.items():
        if n in chosen:
            lines += differences(table, chosen[n])
            new["columns"] += lacking_rows(table, chosen[n]) if new_columns else []
        elif n not in found:
            lines.append(f"{table.id}: there is no table {n} any more")
    columns_added = len(new["columns"])
    for proposal in proposals:
        for file, rows in proposal.rows.items():
            new[file] += rows
    rules = references.rules(proposals, there)
    new["rules"] += rules
    children = {row["table"] for row in rules}
    new["options"] += [
        # A new row may refer to one that is committed a little later.
        {
            "source": name,
            "table": proposal.table.name,
            "option": "reference_grace_minutes",
            "value": str(DEFAULTS.overlap_minutes),
        }
        for proposal in proposals
        if proposal.table.name in children and proposal.choice.watermark
    ]
    _write(root, new)
    undecided = {
        t.name: [c.source_name for c in t.columns if c.pii == metadata.UNDECIDED]
        for t in metadata.load(root)
        if t.source.name == name and t.name in chosen
    }
    questions = {table: columns for table, columns in undecided.items() if columns}
    return Discovery(source, proposals, lines, columns_added, questions)


def _write(root: Path, new: Mapping[str, list[Row]]) -> None:
    """Add the rows; the files are as they were if the seed would have a fault."""
    before = {p: p.read_bytes() for p in (root / metadata.FOLDER).glob("*.csv")}
    try:
        for file, rows in new.items():
            seedfile.append(root, file, rows)
        metadata.load(root)
    except BaseException:
        for path, content in before.items():
            seedfile.put(path, content)
        raise


def _new_source(name: str, url_env: str) -> Source:
    variable = url_env or f"{name.upper()}_URL"
    kind = _kind_of(os.environ.get(variable, ""), variable)
    source = Source(name, kind, variable, "", "UTC", "", f"Database {name}")
    if faults := metadata.faults_of_source(name):
        raise ConfigurationError(f"{'; '.join(faults)}.")
    if not os.environ.get(variable):
        raise ConfigurationError(
            f"source {name!r} is not in seeds/metadata/sources.csv.",
            f"to add it, set {variable} to {_forms()} and type the same again "
            "(`--url-env NAME` takes the URL from another variable)",
        )
    schema = sources.of(source).schema(source)
    if not schema:
        raise ConfigurationError(
            f"{variable} names no schema to read.", f"write it as {_forms()}"
        )
    return replace(source, schema=schema, description=f"Database {schema}")


def _kind_of(url: str, variable: str) -> str:
    """The kind of source whose URL begins so; any where there is no URL."""
    scheme = url.partition("://")[0]
    for name in sources.NAMES:
        if not url or scheme in sources.named(name).url.schemes:
            return name
    # No part of it is shown: it may be part of the password.
    raise ConfigurationError(
        f"{variable} is not the URL of a source.", f"Write it as {_forms()}."
    )


def _forms() -> str:
    """How a URL is written, by each kind of source."""
    return " or ".join(sources.named(n).discovered for n in sources.NAMES)


def _classify_copies(proposals: list[Proposal]) -> None:
    """Give a column that holds the texts of a classified one the same class."""
    classified: list[tuple[str, set[str]]] = []
    others: list[tuple[Row, set[str]]] = []
    for proposal in proposals:
        for row in proposal.rows.get("columns", []):
            texts = {t for t in proposal.texts.get(row["column"], []) if len(t) > 5}
            if texts and row["pii"] not in ("", metadata.UNDECIDED):
                classified.append((row["pii"], texts))
            elif texts and not row["pii"]:
                others.append((row, texts))
    for row, texts in others:
        for label, clear in classified:
            if len(texts & clear) > min(BY_CHANCE, len(clear) // 2):
                row["pii"] = label
                break


def _ask(proposals: list[Proposal]) -> None:
    """Leave to a person what may hold anything, in tables of persons.

    Those are tables with personal data, and those that refer to people.
    """
    for proposal in proposals:
        table, rows = proposal.table, proposal.rows.get("columns", [])
        classes = (row["pii"] for row in rows)
        if not (
            is_of_persons(table.name, classes)
            or any(is_of_persons(f.table) for f in table.foreign_keys)
        ):
            continue
        keyed = {n for key in table.keys for n in key.columns}
        keyed |= {n for foreign in table.foreign_keys for n in foreign.columns}
        for row in rows:
            name = row["column"]
            if row["pii"] or name in keyed or table.columns[name].values:
                continue
            if is_open(row["data_type"], proposal.texts.get(name, ())):
                row["pii"] = metadata.UNDECIDED
