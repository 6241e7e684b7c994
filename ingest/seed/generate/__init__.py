"""Generate: the seed's tables as dbt models, with contracts, tests and docs.

The files are committed and deterministic. Every value that changes a model's
behaviour is a literal in its body, so `state:modified` selects exactly the
tables whose rows in the seed changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from ingest import private
from ingest.errors import SeedbedError
from ingest.seed import metadata, suites, types
from ingest.seed.checks import CHECKS
from ingest.seed.generate import models, scores
from ingest.seed.generate.text import Node, as_model, as_yaml, render
from ingest.seed.metadata import Table
from ingest.seed.options import KNOWN

FOLDERS = (
    Path("models/staging/generated"),
    Path("models/silver/generated"),
    Path("snapshots/generated"),
    suites.FOLDER,
)
ROW_ACCESS = Path("macros/security/row_access.sql")
_REFERENCE = re.compile(r"""\bref\(\s*(?:['"]\w+['"]\s*,\s*)?['"](\w+)['"]""")


@dataclass(frozen=True)
class Plan:
    """What generating would do: new or changed files, and orphans to delete."""

    write: dict[Path, str]
    delete: list[Path]

    @property
    def is_empty(self) -> bool:
        """Whether the files are as the seed says."""
        return not self.write and not self.delete


def plan(root: Path, tables: Iterable[Table]) -> Plan:
    """Compare the seed's files with those below `root`; change nothing.

    Raises SeedbedError when an orphan is still referred to by hand-written SQL.
    """
    wanted = files([t for t in tables if t.enabled])
    access = [asdict(row) for row in metadata.load_row_access(root)]
    wanted[ROW_ACCESS] = render(
        "row_access.sql.jinja", notice=suites.NOTICE, rows=access
    )
    _refuse_taken_names(root, wanted)
    write = {
        path: text
        for path, text in wanted.items()
        if not (root / path).exists() or (root / path).read_text() != text
    }
    delete = [
        file.relative_to(root)
        for folder in FOLDERS
        for file in sorted((root / folder).glob("*"))
        if file.is_file() and file.relative_to(root) not in wanted
    ]
    _refuse_orphans_in_use(root, delete)
    return Plan(write, delete)


def apply(root: Path, changes: Plan) -> None:
    """Write and delete what `plan` found."""
    for path, text in changes.write.items():
        private.folder((root / path).parent)
        (root / path).write_text(text)
        private.share(root / path)
    for path in changes.delete:
        (root / path).unlink()
    if any(p.parent == FOLDERS[2] for p in (*changes.write, *changes.delete)):
        # Parsing what changed only, dbt loses or doubles a snapshot that changes
        # together with what it reads (dbt-core issues 15785, 11164).
        for parsed in (root / "target").rglob("partial_parse.msgpack"):
            parsed.unlink()


def hand_written(root: Path) -> dict[str, Path]:
    """What a person called something, as dbt does: seeds, models and snapshots."""
    return {
        file.stem: file.relative_to(root)
        for folder in ("models", "snapshots", "seeds")
        for file in sorted((root / folder).rglob("*"))
        if file.suffix in (".sql", ".csv")
        and file.relative_to(root).parent not in FOLDERS
    }


def _refuse_taken_names(root: Path, wanted: Iterable[Path]) -> None:
    taken = hand_written(root)
    for path in wanted:
        if path.parent in FOLDERS and path.stem in taken:
            raise SeedbedError(
                f"the metadata seed describes a model {path.stem}, but "
                f"{taken[path.stem]} has that name, so nothing was written.",
                "give one of them another name; that of a table's model is in "
                "seeds/metadata/tables.csv",
            )


def _refuse_orphans_in_use(root: Path, delete: list[Path]) -> None:
    orphans = {path.stem for path in delete if path.suffix == ".sql"}
    for folder in ("models", "snapshots", "tests", "analyses") if orphans else ():
        for file in sorted((root / folder).rglob("*")):
            path = file.relative_to(root)
            if file.suffix not in (".sql", ".yml") or path.parent in FOLDERS:
                continue
            for name in sorted(orphans & {*_REFERENCE.findall(file.read_text())}):
                raise SeedbedError(
                    f"model {name} is no longer in the metadata seed, but {path} "
                    "still refers to it, so nothing was written.",
                    "change that file first, or restore the table's row in "
                    "seeds/metadata/tables.csv",
                )


def files(tables: list[Table]) -> dict[Path, str]:
    """All generated files by path, for the tables that are enabled."""
    staging, silver, snapshots, _ = FOLDERS
    out: dict[Path, str] = {staging / "_sources.yml": as_yaml(models.sources(tables))}
    for table in tables:
        out[suites.path(table)] = suites.render(table)
        out[staging / f"{table.staging}.sql"] = as_model(models.staging_body(table))
        out[staging / f"{table.staging}.yml"] = _entry(models.staging_doc(table))
        built = models.silver(table)
        if table.options.min_score:
            built[f"{table.model}_score"] = scores.score(table)
        for name, (body, doc) in built.items():
            out[silver / f"{name}.sql"] = as_model(body)
            out[silver / f"{name}.yml"] = _entry(doc)
        if table.load_type.is_snapshot:
            name = f"{table.model}_snapshot"
            out[snapshots / f"{name}.yml"] = as_yaml(models.snapshot(table))
    out[Path("macros/staging/warehouse_type.sql")] = _warehouse_types()
    out[Path("docs/options.md")] = render("options.md.jinja", options=KNOWN)
    out[Path("docs/rules.md")] = render("rules.md.jinja", checks=CHECKS)
    return dict(sorted(out.items()))


def _entry(doc: Node) -> str:
    return as_yaml({"version": 2, "models": [doc]})


def _warehouse_types() -> str:
    """What the column types are called in each warehouse, as a macro."""
    kinds = [types.parse(name) for name in types.KNOWN if "(" not in name]
    return render("warehouse_type.sql.jinja", kinds=kinds, digits=types.EXACT_DIGITS)


# Beyond this many files a folder's are counted, not named.
NAMED = 12


def describe(changes: Plan) -> list[str]:
    """A line for each change, or for many in one folder, for a person."""
    lines = []
    for verb, paths in (("write ", [*changes.write]), ("delete", changes.delete)):
        for folder, found in groupby(sorted(paths), lambda path: path.parent):
            names = [path.name for path in found]
            if len(names) > NAMED:
                lines.append(f"{verb} {len(names):,} files in {folder}/")
            else:
                lines += [f"{verb} {folder / name}" for name in names]
    return lines
