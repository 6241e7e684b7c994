"""Discover: propose the rows of the metadata seed for a source's tables.

What is proposed comes from the source's catalogue and a bounded look at its rows.
Rows are only ever added: what a person wrote stays, and differences are reported.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ingest import settings
from ingest.errors import ConfigurationError
from ingest.seed import metadata, seedfile, types
from ingest.seed.discover import zones
from ingest.seed.discover.judge import Judge, Proposal
from ingest.seed.discover.names import Names
from ingest.seed.discover.privacy import is_of_persons, is_open
from ingest.seed.discover.references import kinds_of, settle
from ingest.seed.discover.rows import Row, differences, lacking_rows
from ingest.seed.metadata import Source, Table
from ingest.seed.options import DEFAULTS
from ingest.sources.mysql import catalogue
from ingest.sources.mysql.source import connect

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
    found = catalogue.read(source)
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
    there = {t.name: t for t in tables if t.source.name == name}
    names = Names(root, tables)
    with connect(source) as connection, connection.cursor() as cursor:
        if name in known:
            of_clock = zones.compare(source, cursor)
        else:
            zone, of_clock = zones.derive(cursor)
            source = replace(source, timezone=zone)
        proposals = [
            Judge(source, found, table, cursor).propose(names)
            for n, table in chosen.items()
            if n not in there
        ]
    _classify_copies(proposals)
    _ask(proposals)
    settle(proposals, there)
    lines = [f"{name}: {of_clock}."] if of_clock else []
    lacking: list[Row] = []
    for n, table in there.items():
        if n in chosen:
            lines += differences(table, chosen[n])
            lacking += lacking_rows(table, chosen[n]) if new_columns else []
        elif n not in found:
            lines.append(f"{table.id}: there is no table {n} any more")
    new: dict[str, list[Row]] = {"columns": [*lacking]}
    if name not in known:
        facts = {n: getattr(source, n, "") for n in metadata.HEADERS["sources"]}
        new["sources"] = [facts | {"source": name}]
    for proposal in proposals:
        for file, rows in proposal.rows.items():
            new.setdefault(file, []).extend(rows)
    references = _references(proposals, there, source)
    new.setdefault("rules", []).extend(references)
    children = {row["table"] for row in references}
    for proposal in proposals:
        if proposal.table.name in children and proposal.choice.watermark:
            new.setdefault("options", []).append(_grace(proposal))
    _write(root, new)
    questions = _undecided(metadata.load(root), name, chosen)
    return Discovery(source, proposals, lines, len(lacking), questions)


def _write(root: Path, new: dict[str, list[Row]]) -> None:
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
    source = Source(name, "mysql", variable, "", "UTC", "", f"Database {name}")
    if faults := metadata.faults_of_source(name):
        raise ConfigurationError(f"{'; '.join(faults)}.")
    if not os.environ.get(variable):
        raise ConfigurationError(
            f"source {name!r} is not in seeds/metadata/sources.csv.",
            f"to add it, set {variable} to mysql://USER:PASSWORD@HOST:PORT/SCHEMA and "
            "type the same again (`--url-env NAME` takes the URL from another "
            "variable)",
        )
    settings.source_url(source)  # raises where it is no URL
    schema = unquote(urlsplit(os.environ[variable]).path.strip("/"))
    if not schema:
        raise ConfigurationError(
            f"{variable} names no schema to read.",
            "end it with /SCHEMA: mysql://USER:PASSWORD@HOST:PORT/SCHEMA",
        )
    return replace(source, schema=schema, description=f"Database {schema}")


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
        keys = {name for key in proposal.table.keys for name in key.columns}
        refer = [f for f in proposal.table.foreign_keys if is_of_persons(f.table)]
        keys |= {n for f in proposal.table.foreign_keys for n in f.columns}
        rows = proposal.rows.get("columns", [])
        if not refer and not is_of_persons(
            proposal.table.name, (row["pii"] for row in rows)
        ):
            continue
        for row in rows:
            name = row["column"]
            is_listed = bool(proposal.table.columns[name].values)
            if row["pii"] or name in keys or is_listed:
                continue
            if is_open(row["data_type"], proposal.texts.get(name, ())):
                row["pii"] = metadata.UNDECIDED


def _undecided(
    tables: Iterable[Table], source: str, chosen: Collection[str]
) -> dict[str, list[str]]:
    """The undecided columns of the source's tables, by table."""
    asked = {
        t.name: [c.source_name for c in t.columns if c.pii == metadata.UNDECIDED]
        for t in tables
        if t.source.name == source and t.name in chosen
    }
    return {name: columns for name, columns in asked.items() if columns}


def _references(
    proposals: list[Proposal],
    tables: Mapping[str, Table],
    source: Source,
) -> list[Row]:
    """Rules for the foreign keys between the source's tables."""
    names = {
        t.name: (t.model, {c.source_name: c.name for c in t.columns})
        for t in tables.values()
        if t.enabled
    } | {
        p.table.name: (p.model, {r["column"]: r["name"] for r in p.rows["columns"]})
        for p in proposals
        if p.rows
    }
    kinds = kinds_of(proposals, tables)
    rows: dict[tuple[str, str], Row] = {}
    for proposal in (p for p in proposals if p.rows):
        own = names[proposal.table.name][1]
        for foreign in proposal.table.foreign_keys:
            model, theirs = names.get(foreign.table, ("", {}))
            for column, other in zip(foreign.columns, foreign.references, strict=True):
                if column in own and other in theirs:
                    one = kinds[proposal.table.name, column]
                    two = kinds[foreign.table, other]
                    if not types.are_comparable(types.parse(one), types.parse(two)):
                        proposal.warnings.append(
                            f"{column} refers to {foreign.table}.{other}, but {one} "
                            f"and {two} can't be compared: no rule holds it. Write a "
                            f"data_type in {metadata.FOLDER}/columns.csv that holds "
                            "the values of both"
                        )
                        continue
                    row = {
                        "source": source.name,
                        "table": proposal.table.name,
                        "column": own[column],
                        "check": "references",
                        "argument": f"{model}.{theirs[other]}",
                        "severity": "warn",
                        "layer": "model",
                        "description": "A foreign key of the source",
                    }
                    rows.setdefault((proposal.table.name, column), row)
    return list(rows.values())


def _grace(proposal: Proposal) -> Row:
    """A new row may refer to one that is committed a little later."""
    return {
        "source": proposal.rows["tables"][0]["source"],
        "table": proposal.table.name,
        "option": "reference_grace_minutes",
        "value": str(DEFAULTS.overlap_minutes),
    }
