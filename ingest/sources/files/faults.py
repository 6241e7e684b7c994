"""What DuckDB says of a file's content, for a person: the file, the line and why.

The line itself is not shown, as it may hold personal data.
"""

from __future__ import annotations

import re

from ingest.errors import SeedbedError, first_line

# What DuckDB says of a line.
_LINE = re.compile(r"CSV Error on Line: (\d+)")
_OF_JSON = re.compile(r'Malformed JSON in file "(.+)", at byte \d+ in line (\d+): (.+)')
_OF_CSV = re.compile(r"^ *file = (.+)$", re.MULTILINE)
_OF_FILE = re.compile(r"""["'](/[^"']+|s3://[^"']+)["']""")
_ASIDE = ("Original Line", "Possible", "LINE ", "*")


def fault_of(said: str, base: str, table: str) -> SeedbedError | None:
    """What DuckDB says of a file's content, as one sentence; None for anything else."""
    line, why = "", ""
    if match := _OF_JSON.search(said):
        path, line, why = match.groups()
    elif match := _LINE.search(said):
        line = match[1]
        named = _OF_CSV.search(said)
        path = named[1] if named else ""
        told = (text.strip() for text in said.splitlines()[1:])
        why = next((t for t in told if t and not t.startswith(_ASIDE)), "")
    elif match := _OF_FILE.search(first_line(Exception(said))):
        path, why = match[1], said.splitlines()[0]
    else:
        return None
    name = path.removeprefix(f"{base}/")
    place = f"file {name}, line {line}," if line else f"file {name}"
    why = why.replace(path, name).strip().rstrip(".")
    return SeedbedError(
        f"{table}: {place} can't be read: {why}. Nothing of the batch was loaded.",
        "Mend the file, or take it away, then run again.",
    )
