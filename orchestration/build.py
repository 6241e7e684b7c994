"""Build: dbt, in this process, over what is released.

dbt parses once, and is handed the parsed manifest from then on.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from ingest import limits, settings, stop
from ingest.control import Connection
from ingest.errors import SeedbedError
from ingest.seed import metadata
from ingest.seed.metadata import Table
from ingest.statements import Statements, query
from orchestration import artifacts, dbt_runner, project

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from dbt_common.events.base_types import EventMsg

Report = Callable[[str], None]

# Commands that leave no results of nodes.
_OF_NO_NODES = ("parse", "source", "docs")
_SQL = Statements(__file__)
_FAILED = ("error", "fail", "runtime error", "partial success")
# Unit tests judge code, not data: they are for `dbt build` and for CI.
NEVER = "resource_type:seed resource_type:unit_test"
GOLD = "path:models/gold+"
TESTS = "resource_type:test"
# A run balances its ledger with the same, and with tables that it did not build too.
BALANCED = "test_name:live_keys_as_in"
# The target that a run builds; what is good is published to another one then.
HERE = "postgres"


@dataclass
class Built:
    """What dbt did: nodes by status, and a line for each that failed.

    `unbuilt` are the models that failed or were skipped, `behind` selectors of what
    must not be built on what failed. A test that only warns and could not be asked
    fails nothing, unless models behind it were skipped.
    """

    counts: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    unbuilt: set[str] = field(default_factory=set)
    behind: set[str] = field(default_factory=set)

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    def __str__(self) -> str:
        if not self.counts:
            return "nothing to build"
        return ", ".join(f"{n} {status}" for status, n in sorted(self.counts.items()))


def schema_of(layer: str) -> str:
    """The schema a layer is built in, as the macro generate_schema_name says."""
    name = settings.variable("SEEDBED_SCHEMA", "prod")
    return layer if name == "prod" else f"{name}_{layer}"


def _environment(target: str) -> str:
    """What is built where: the target, which account of it, and the schemas."""
    if target == "snowflake":
        account = os.environ.get("SNOWFLAKE_ACCOUNT", "").replace("/", "_")
        target = f"{target}.{account}.{os.environ.get('SNOWFLAKE_DATABASE', '')}"
    return f"{target}.{schema_of('gold')}"


def build(
    connection: Connection,
    left_out: Sequence[Table],
    *,
    everything: bool,
    target: str,
    report: Report,
) -> Built:
    """Build what follows from tables with new released rows, or everything.

    Descendants of `left_out` keep their last good state. Models whose code
    changed since the last complete build are built as well.
    """
    due = plan(connection, left_out, everything=everything, target=target)
    if due.is_nothing:
        return Built()
    exclude = f"{NEVER} {due.exclude}".strip()
    arguments = ["build", "--target", target, "--exclude", exclude]
    if due.select:
        arguments += ["--select", due.select, "--state", due.state]
    if due.tested_through:
        tested = json.dumps({"tested_through": due.tested_through})
        arguments += ["--vars", tested]
    built = run_dbt(arguments, report)
    if built.ok:
        finish(connection, due, artifacts.folder(target) / "manifest.json")
    return built


@dataclass(frozen=True)
class Plan:
    """What a build is to do: dbt's selectors, and what makes it complete.

    `select` is empty where everything is due, `state` the folder of the manifest
    that it compares with. `released` is by table what was released when it was
    planned; `is_partial` where tables are left out. `is_nothing` where dbt need not
    be asked: neither rows nor the project, of this `checksum`, are new. The tests of
    facts look at what came of a table behind its number in `tested_through`, or at all
    rows where that is empty: once a day in all tests, whatever is due.
    """

    target: str
    environment: str
    select: str
    exclude: str
    state: str
    released: dict[str, int]
    is_partial: bool
    checksum: str
    is_nothing: bool = False
    tested_through: dict[str, int] = field(default_factory=dict)

    @property
    def is_tested_whole(self) -> bool:
        """Whether all tests look at all rows."""
        return not self.is_nothing and (not self.select or TESTS in self.select.split())

    def of_layer(self, layer: str) -> dict[str, str]:
        """The selectors of one of the two builds that it may be cut into.

        `silver` is all that doesn't follow from gold, `gold` the rest.
        """
        if layer == "silver":
            exclude = f"{NEVER} {GOLD} {self.exclude}"
            return {"select": self.select or "fqn:*", "exclude": exclude.strip()}
        parts = [f"{part},{GOLD}" for part in self.select.split()] or [GOLD]
        exclude = f"{NEVER} {self.exclude}"
        return {"select": " ".join(parts), "exclude": exclude.strip()}


def plan(
    connection: Connection, left_out: Sequence[Table], *, everything: bool, target: str
) -> Plan:
    """Plan a build, and note that it is not done."""
    environment = _environment(target)
    state = settings.ROOT / ".seedbed" / "state" / environment
    checksum = project.checksum(target)
    last = _SQL.run(connection, "last_built", environment=environment).fetchone()
    built_from, is_tested = last or ("", False)
    released = dict(
        connection.execute("select table_id, released_through from audit.table_state")
    )
    select, is_nothing, tested_through = "", False, {}
    if built_from and (state / "manifest.json").exists() and not everything:
        due = _due(connection, environment)
        selected = ["state:modified+", *(f"source:bronze.{t.bronze}+" for t in due)]
        is_nothing = built_from == checksum and not due
        if not is_tested:
            selected.append(TESTS)
        elif built_from == checksum:
            tested_through = {table.id: seq for table, seq in due.items()}
        select = " ".join(selected)
    exclude = " ".join(
        [
            *(f"source:bronze.{t.bronze}+" for t in left_out),
            *([BALANCED] if target == HERE else []),
        ]
    )
    if is_nothing:
        # dbt may have been asked about another environment since.
        artifacts.folder(target).mkdir(parents=True, exist_ok=True)
        shutil.copy(state / "manifest.json", artifacts.folder(target))
    else:
        of = {"environment": environment, "built_from": "", "is_tested": False}
        _SQL.run(connection, "remember", **of)
    return Plan(
        target,
        environment,
        select,
        exclude,
        str(state),
        released,
        is_partial=bool(left_out),
        checksum=checksum,
        is_nothing=is_nothing,
        tested_through=tested_through,
    )


def finish(connection: Connection, done: Plan, manifest: Path) -> None:
    """Note that a build has left nothing undone, unless tables were left out."""
    if done.is_partial:
        return
    state = Path(done.state)
    state.mkdir(parents=True, exist_ok=True)
    shutil.copy(manifest, state / "manifest.json")
    is_same = project.checksum(done.target) == done.checksum
    of = {"environment": done.environment}
    _SQL.run(connection, "built", **of, released=Jsonb(done.released))
    _SQL.run(
        connection,
        "remember",
        **of,
        built_from=done.checksum if is_same else "changed while it was built",
        is_tested=done.is_tested_whole,
    )


def read(folder: Path, since: dt.datetime, said: str = "") -> Built:
    """What dbt did, by the files that it wrote to `folder` after `since`.

    `said` is why an operation failed, which dbt does not write. Raises SeedbedError if
    there are no such files, so dbt could not run.
    """
    ran = artifacts.written(folder / "run_results.json", since)
    if not ran:
        raise SeedbedError(f"dbt has left no results in {folder}: it could not run.")
    nodes = artifacts.manifest(folder).get("nodes", {})
    built = Built()
    unasked: list[str] = []
    for result in ran["results"]:
        id_, status = result["unique_id"], result["status"]
        built.counts[status] = built.counts.get(status, 0) + 1
        if status not in (*_FAILED, "skipped"):
            continue
        node = nodes.get(id_, {})  # an operation has none
        name = node.get("name", id_.rpartition(".")[2])
        is_test = node.get("resource_type") in ("test", "unit_test")
        if not is_test:
            built.unbuilt.add(name)
        if status == "skipped":
            continue
        about = node["depends_on"]["nodes"] if is_test else [id_]
        names = sorted(nodes[n]["name"] for n in about if n in nodes)
        if names:
            # As dbt itself has it: behind a test is what follows from all it looks at.
            built.behind.add(",".join(f"{n}+" for n in names))
        line = f"{name}: {_first_lines(result['message'] or said or status)}"
        if path := node.get("compiled_path"):
            line += f" (SQL: {path})"
        if out := limits.way_out(line):
            line += f". {out}."
        only_warns = is_test and node["config"]["severity"].lower() == "warn"
        (unasked if only_warns else built.failures).append(line)
    if built.unbuilt:
        built.failures += unasked
    return built


def _due(connection: Connection, environment: str) -> dict[Table, int]:
    """The tables that have more released than is built, and how far they are built."""
    rows = connection.execute(query(__file__, "due"), {"environment": environment})
    due = dict(rows.fetchall())
    tables = metadata.enabled(metadata.load(settings.ROOT))
    return {table: due[table.id] for table in tables if table.id in due}


def rebuild(models: Sequence[str], target: str, report: Report) -> Built:
    """Rebuild the named models from the log, and what follows from them."""
    # Staging as well: the seed may have columns that its views don't show yet.
    names = " ".join(f"+{n},path:models/staging {n}+" for n in models)
    words = ["build", "--target", target, "--full-refresh", "--select", names]
    rebuilt = f"{{rebuild: [{', '.join(models)}]}}"
    return run_dbt([*words, "--vars", rebuilt], report)


def rendered(
    macro: str, target: str, report: Report, arguments: Mapping[str, Any] | None = None
) -> str:
    """The SQL that a macro with these arguments returns; nothing is executed."""
    printed: list[str] = []
    given = json.dumps({"macro": macro, "arguments": arguments or {}})
    words = ["run-operation", "show_sql", "--args", given]
    _invoke([*words, "--target", target], report, printed)
    return "\n".join(printed)


def run_dbt(arguments: list[str], report: Report) -> Built:
    """Run a dbt command and return what its nodes came to.

    Raises SeedbedError when dbt could not start: a broken model, a bad profile.
    """
    folder, began = artifacts.folder(_target(arguments)), dt.datetime.now(dt.UTC)
    said = _invoke(arguments, report, [])
    return Built() if arguments[0] in _OF_NO_NODES else read(folder, began, said)


def _target(arguments: list[str]) -> str:
    return arguments[arguments.index("--target") + 1]


def _invoke(arguments: list[str], report: Report, printed: list[str]) -> str:
    """Run a dbt command; why an operation failed. What macros print is in `printed`."""
    target = _target(arguments)
    done, total, said = 0, 0, ""

    def follow(event: EventMsg) -> None:
        nonlocal done, total, said
        if event.info.name == "PrintEvent":
            printed.append(event.data.msg)
        # dbt writes no message of an operation; what failed is an event.
        if event.info.name.startswith("RunningOperation"):
            said = event.data.exc
        total = getattr(event.data, "total", 0) or total
        if event.info.name == "NodeFinished":
            done += 1
            if done % 20 == 0:
                report(f"{arguments[0]}: {done} of {total} nodes done")

    options = {
        "--project-dir": settings.ROOT,
        "--profiles-dir": settings.ROOT,
        "--target-path": artifacts.folder(target),
        "--log-path": settings.ROOT / ".seedbed" / "log",
        "--log-level": "none",
        "--log-level-file": "info",
    }
    common = [str(word) for option in options.items() for word in option]
    # The variables that commands set are read when a model is built or tested.
    manifest = None if arguments[0] == "parse" else _manifest(target, common)
    answer = dbt_runner.runner(manifest, follow).invoke([*arguments, *common])
    stop.check()  # dbt ends well on a signal, and keeps it to itself
    if answer.exception or answer.result is None:
        raise _failed(answer.exception)
    return said


def _manifest(target: str, common: list[str]) -> Manifest:
    """The project as dbt parsed it."""

    def parse() -> Manifest:
        from dbt.contracts.graph.manifest import Manifest

        words = ["parse", "--target", target, *common]
        answer = dbt_runner.runner().invoke(words)
        stop.check()
        if not isinstance(answer.result, Manifest):
            raise _failed(answer.exception)
        return answer.result

    return project.manifest(target, parse)


def _failed(cause: BaseException | None) -> SeedbedError:
    log = settings.ROOT / ".seedbed" / "log" / "dbt.log"
    return SeedbedError(
        f"dbt could not run: {_first_lines(str(cause))}",
        f"mend the cause, which {log} has in full, and run again",
    )


def _first_lines(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:6])
