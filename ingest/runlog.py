"""The run log: what a run does, as JSON lines and as rows of `audit.step`.

One place for both. A line has `time`, `level`, `event` and, where they are known,
`run_id` and `table`; `SEEDBED_LOG` names another file, or `-` for standard error. A
line that can't be written is left out, and never fails a run.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from ingest import settings
from ingest.errors import SeedbedError, first_line
from ingest.statements import Statements

# A file that has grown beyond this is kept once, as .1, when a run begins.
LARGEST = 32 << 20
_SQL = Statements(__file__)

Connection = psycopg.Connection[Any]
Report = Callable[[str], None]


def path() -> Path | None:
    """The file that the lines go to; None where it is standard error."""
    named = os.environ.get("SEEDBED_LOG", "")
    if named == "-":
        return None
    return Path(named or settings.ROOT / ".seedbed" / "log" / "seedbed.jsonl")


def write(event: str, *, level: str = "info", **facts: object) -> None:
    """Write a line; facts that are None or empty are left out."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    line: dict[str, object] = {"time": now, "level": level, "event": event}
    line |= {k: v for k, v in facts.items() if v is not None and v != ""}
    text = json.dumps(line, default=str, ensure_ascii=False) + "\n"
    file = path()
    if file is None:
        sys.stderr.write(text)
        return
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        if event == "run.started" and file.exists() and file.stat().st_size > LARGEST:
            file.replace(file.with_name(file.name + ".1"))
        # One write in append mode: lines of two processes never mix.
        number = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with open(number, "ab", buffering=0) as out:
            out.write(text.encode())


def telling(run_id: str, report: Report) -> Report:
    """A report whose lines are written to the run log as well."""

    def tell(line: str) -> None:
        write("progress", run_id=run_id, message=line)
        report(line)

    return tell


def unforeseen(table_id: str, error: Exception) -> SeedbedError:
    """An unexpected error of a table, with its traceback in the run log."""
    where = "".join(traceback.format_tb(error.__traceback__))
    said = f"{type(error).__name__}: {first_line(error)}"
    facts = {"table": table_id, "error": said, "traceback": where}
    write("table.failed", level="error", **facts)
    return SeedbedError(
        f"{table_id}: Seedbed itself failed with {said}. What was under way was rolled "
        "back, and the other tables went on.",
        f"Please report it, with the traceback in {path() or 'the log'}; until it is "
        "fixed, set enabled false for the table in seeds/metadata/tables.csv.",
    )


@contextmanager
def step(
    connection: Connection,
    run_id: str,
    name: str,
    table: str = "",
    batch_seq: int | None = None,
) -> Iterator[None]:
    """Note a step of a run, and whether it was done or failed.

    Steps: extract, load, validate, build, publish. What it raises is passed on.
    """
    facts: dict[str, Any] = {"run_id": run_id, "table": table, "batch": batch_seq}
    write(f"{name}.started", **facts)
    step_id = _SQL.value(connection, "begin_step", name=name, **facts)
    began = dt.datetime.now(dt.UTC)

    def end(state: str, error: str | None = None) -> None:
        seconds = round((dt.datetime.now(dt.UTC) - began).total_seconds(), 3)
        level = "error" if error else "info"
        write(f"{name}.{state}", level=level, **facts, seconds=seconds, error=error)
        ended = {"state": state, "error": error}
        _SQL.run(connection, "end_step", step_id=step_id, **ended)

    try:
        yield
    except BaseException as error:
        said = first_line(error) or type(error).__name__
        # If the connection is lost, the run's end closes the step.
        with suppress(psycopg.Error):
            end("failed", said)
        raise
    end("done")
