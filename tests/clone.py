"""A clone of the project with servers of its own, which a test may do anything to.

What a test leaves behind is undone by `restore`, which takes warehouse, sources,
lake and build state back to a checkpoint in about a second.
"""

import csv
import functools
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import psycopg
import pymysql
import pytest
from botocore.config import Config
from psycopg import sql

from ingest import private, settings
from ingest.seed import metadata
from orchestration import build, packages, runner
from sandbox import demo
from sandbox import servers as embedded
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.postgres import Postgres
from sandbox.servers.service import Stack
from tests import comparator, forked

REPOSITORY = Path(__file__).resolve().parents[1]
# The folders of Python, from the lowest layer to the highest.
CODE = ("ingest", "gx", "orchestration", "sandbox")
ROWS = 400
LAYERS = ("bronze", "staging", "silver", "gold")
# The product's own settings, which would lead a test to somebody's servers.
_FOREIGN = re.compile(r"(PG|AWS_|SEEDBED_|SNOWFLAKE_|DBT_).*|.*_URL")
# Later than all that happens in the demo's sources: an observation's time.
_OBSERVED = re.compile(r'"(2026-(0[4-9]|1\d)|20(2[7-9]|[3-9]\d))-[^"]*T[^"]*"')

# Gold's keys are hashes over such times, too.
_HASHED = re.compile(r'"(\w+_key)": "[0-9a-f]{32}"')

Row = tuple[Any, ...]


def quiet(line: str) -> None:
    """A report nobody reads."""


def neutral_environment() -> dict[str, str]:
    """This process's environment without anything the product reads."""
    return {k: v for k, v in os.environ.items() if not _FOREIGN.fullmatch(k)}


def link_mariadb(root: Path) -> None:
    """Give `root` this repository's unpacked MariaDB, if there is one."""
    unpacked = REPOSITORY / ".seedbed" / "mariadb" / "root"
    target = root / ".seedbed" / "mariadb" / "root"
    if not unpacked.exists():
        return
    try:
        shutil.copytree(unpacked, target, symlinks=True, copy_function=os.link)
    except (OSError, shutil.Error):  # another file system
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(unpacked, target, symlinks=True)


def copy_project(root: Path) -> None:
    """Copy what git knows or would add, and what a set-up installs."""
    listed = subprocess.check_output(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        text=True,
    )
    for name in filter(None, listed.split("\0")):
        source, target = REPOSITORY / name, root / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    (root / ".venv").symlink_to(REPOSITORY / ".venv")
    if packages.which(REPOSITORY) != "missing":
        installed = REPOSITORY / packages.INSTALLED
        shutil.copytree(installed, root / packages.INSTALLED)
    packages.install(root, quiet)


def add_operator(root: Path, password: str) -> None:
    """Make a MariaDB that is down, and a user `operator` there who may do anything."""
    server = MariaDB(Stack(root), quiet)
    server.prepare()
    server.make_passwords()
    server.alone(
        "flush privileges;\n"
        f"create user operator@127.0.0.1 identified by '{password}';\n"
        "grant all privileges on *.* to operator@127.0.0.1 with grant option;\n",
        server.data,
    )


@contextmanager
def operated(root: Path, password: str) -> Iterator[pymysql.cursors.Cursor]:
    """A cursor of that operator."""
    url = urlsplit(embedded.admin_url(root))
    with (
        pymysql.connect(
            host=url.hostname,
            port=url.port or 0,
            user="operator",
            password=password,
            autocommit=True,
        ) as connection,
        connection.cursor() as cursor,
    ):
        yield cursor


@dataclass
class Checkpoint:
    """Warehouse (a database to copy), sources and dbt state at one moment."""

    database: str
    source: dict[str, tuple[str, list[Row]]]
    state: Path


class Clone:
    """The project in a folder of its own, with running servers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env: dict[str, str] = {}
        self.checkpoints: dict[str, Checkpoint] = {}
        files = (root / metadata.FOLDER).glob("*.csv")
        self.seed = {path: path.read_text() for path in files}
        self.operator = secrets.token_urlsafe(24)
        # What a run leaves out of its build, as dbt's selectors; most of its time is
        # gold's and the tests'.
        self.left_out = ""
        # The tables of a run that names none; all where there are none.
        self.few: tuple[str, ...] = ()
        # Tables that may differ from their sources after a run that says done, with
        # the reason; `*` stands for all.
        self.excused: dict[str, str] = {}

    # -- servers ---------------------------------------------------------------
    def up(self) -> None:
        """Start the servers; the warehouse's role may copy databases.

        The sources have a user more, `operator`, who may do anything.
        """
        embedded.up(self.root, quiet, ["postgres"])
        embedded.down(self.root, quiet)
        Postgres(Stack(self.root), quiet).alone(
            "alter role seedbed createdb;\nalter database seedbed owner to seedbed;\n"
        )
        add_operator(self.root, self.operator)
        self.start()

    def start(self) -> None:
        """Start those servers that do not run."""
        self.env = embedded.up(self.root, quiet)

    def down(self) -> None:
        """Stop all servers."""
        embedded.down(self.root, quiet)

    @property
    def gold(self) -> bool:
        """Whether a run builds gold."""
        return build.GOLD not in self.left_out

    @property
    def secrets(self) -> list[str]:
        """Every password of the stack."""
        urls = [self.env["SHOP_URL"], embedded.admin_url(self.root)]
        return [
            self.env["PGPASSWORD"],
            self.env["AWS_SECRET_ACCESS_KEY"],
            *(urlsplit(url).password or "" for url in urls),
        ]

    # -- the product -----------------------------------------------------------
    @contextmanager
    def inside(self, **env: str) -> Iterator[None]:
        """Let this process be a ./seedbed of the clone."""
        with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
            for name in os.environ:
                if _FOREIGN.fullmatch(name):
                    patch.delenv(name)
            own = {"SEEDBED_EMBEDDED": " ".join(embedded.SERVICES)}
            for name, value in (self.env | own | env).items():
                patch.setenv(name, value)
            patch.setattr(settings, "ROOT", self.root)
            before = private.begin()
            stack.callback(os.umask, before)
            never = f"{build.NEVER} {self.left_out}".strip()
            patch.setattr(build, "NEVER", never)
            patch.chdir(self.root)
            yield

    def tables(self, *patterns: str) -> list[metadata.Table]:
        """The seed's enabled tables, or those named; see `few`."""
        return metadata.enabled(metadata.load(self.root), patterns or self.few)

    def run(self, *patterns: str, **options: Any) -> runner.Run:
        """`./seedbed run`, in this process, which imports dbt only once.

        If it says done, its tables are the sources', value by value.
        """
        with self.inside():
            tables = self.tables(*patterns)
            result = runner.run(tables, command="run", **options)
        released = [o.table.id for o in result.outcomes if o.state == "released"]
        if result.state == "done" and released:
            self.assert_as_sources(
                released,
                in_log=result.built is None,
                is_partial=options.get("request") is not None,
            )
        return result

    def assert_as_sources(
        self, tables: Iterable[str] | None = None, **kind: bool
    ) -> None:
        """Silver is what the seed makes of the sources, but for what was reported.

        `in_log` and `is_partial` are those of `comparator.compare`.
        """
        found = self.differences(tables, **kind)
        told = "\n".join(map(str, found))
        assert not found, f"the run says done, and these differ:\n{told}"

    def assert_newest_run_is_as_sources(self) -> None:
        """What the newest run, of whatever process, brought is as the sources."""
        self.assert_as_sources(
            table
            for (table,) in self.query(
                "select table_id from audit.run_table where state = 'released' and "
                "run_id = (select run_id from audit.run where command = 'run' "
                "order by started_at desc limit 1)"
            )
        )

    def differences(
        self, tables: Iterable[str] | None = None, **kind: bool
    ) -> list[comparator.Difference]:
        """Where silver, or the log, is not what the seed makes of the sources."""
        if "*" in self.excused:
            return []
        chosen = {t.id for t in comparator.seed(self.root)}
        if tables is not None:
            chosen &= {*tables}
        return comparator.compare(
            self.root, self.env, chosen - self.excused.keys(), cleansed, **kind
        )

    @contextmanager
    def knowingly_different(self, why: str, *tables: str) -> Iterator[None]:
        """Tables, or all, need not be as their sources: `why` is a reason to read.

        Such as a source that is changed while it is read, or in a way that is
        documented to be found by reconcile only.
        """
        before = self.excused
        self.excused = before | dict.fromkeys(tables or ("*",), why)
        try:
            yield
        finally:
            self.excused = before

    def cli(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """`./seedbed WORDS` as a process of its own; after a run as after `run`."""
        done = forked.seedbed(
            self.root,
            self.command(*words)[3:],
            neutral_environment() | env,
            left_out=self.left_out,
        )
        if words[:1] == ("run",) and done.returncode == 0 and self.env:
            self.assert_newest_run_is_as_sources()
        return done

    def command(self, *words: str) -> list[str]:
        """The command line of `./seedbed WORDS`; a run is of the few tables."""
        if words[:1] == ("run",) and "--tables" not in words:
            words += tuple(word for t in self.few for word in ("--tables", t))
        return [sys.executable, "-m", "orchestration", *words]

    def dbt(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """dbt as a user types it, in a shell with the clone's variables."""
        return subprocess.run(
            [str(self.root / ".venv" / "bin" / "dbt"), *words],
            cwd=self.root,
            env=neutral_environment() | self.env | env,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    # -- the warehouse ---------------------------------------------------------
    def connect(
        self, database: str = "seedbed", user: str = "", password: str = ""
    ) -> psycopg.Connection[Row]:
        """A connection to the warehouse, as its owner or as another user."""
        return psycopg.connect(
            host=self.env["PGHOST"],
            port=self.env["PGPORT"],
            user=user or self.env["PGUSER"],
            password=password or self.env["PGPASSWORD"],
            dbname=database,
            autocommit=True,
        )

    @contextmanager
    def connected_as(self, role: str) -> Iterator[psycopg.Connection[Row]]:
        """A person in the role, with a password and a session of their own."""
        user, password = f"person_{secrets.token_hex(4)}", secrets.token_hex(8)
        self.query(f"create role {user} login password '{password}' in role {role}")
        try:
            with self.connect(user=user, password=password) as connection:
                yield connection
        finally:
            self.query(f"drop role {user}")

    def query(self, text: str, *values: object) -> list[Row]:
        """Rows of a query; [] for a statement."""
        with self.connect() as connection:
            cursor = connection.execute(
                text,
                values or None,
            )
            return list(cursor.fetchall()) if cursor.description else []

    def value(self, text: str, *values: object) -> Any:
        """The first value of a query."""
        return self.query(text, *values)[0][0]

    def relation(self, schema: str, name: str) -> list[dict[str, Any]]:
        """All rows of a table or view, by column name."""
        with self.connect() as connection:
            cursor = connection.execute(
                sql.SQL("select * from {}").format(sql.Identifier(schema, name))
            )
            assert cursor.description
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def released(self, table: str) -> dict[Row, dict[str, Any]]:
        """The newest released row of each key that is not deleted.

        Read from the staging view, which needs no build; seed columns only.
        """
        newest: dict[Row, dict[str, Any]] = {}
        rows = self.relation("staging", f"stg_{table.replace('.', '__')}")
        for row in sorted(rows, key=lambda r: (r["_source_ts"], r["_batch_seq"])):
            newest[tuple(row[name] for name in key_of(table))] = row
        return {
            key: {name: row[name] for name in columns_of(table)}
            for key, row in newest.items()
            if row["_op"] != "D"
        }

    def held(self, table: str) -> dict[Row, dict[str, Any]]:
        """What the source holds and has not marked as deleted, by key."""
        rows = [r for r in self.source_rows(table) if not r.get("deleted_at")]
        return by_key(table, [expected(table, row) for row in rows])

    def contents(
        self,
        schemas: Sequence[str] = (),
        without: Sequence[str] = (),
        *,
        any_observation: bool = False,
    ) -> dict[str, list[str]]:
        """Every table and view below `schemas`: its rows as sorted JSON texts.

        Without `schemas` those of all layers that a run builds.
        `without` leaves columns out. `any_observation` makes all times at which
        the pipeline looked equal, so that two runs of different hours compare.
        """
        out = {}
        for schema, name in self.query(
            "select table_schema, table_name from information_schema.tables "
            "where table_schema = any(%s) order by 1, 2",
            list(schemas or (LAYERS if self.gold else LAYERS[:-1])),
        ):
            rows = self.query(
                'select (to_jsonb("a row") - %s::text[])::text '
                f'from {schema}."{name}" as "a row"',
                list(without),
            )
            texts = [text for (text,) in rows]
            if any_observation:
                texts = [_OBSERVED.sub('"observed"', text) for text in texts]
                texts = [_HASHED.sub(r'"\1": "hashed"', text) for text in texts]
            out[f"{schema}.{name}"] = sorted(texts)
        return out

    # -- the sources -----------------------------------------------------------
    @property
    def admin_url(self) -> str:
        """The demo's writer."""
        return embedded.admin_url(self.root)

    @contextmanager
    def source(self) -> Iterator[pymysql.cursors.Cursor]:
        """A cursor that may do anything in shop and crm."""
        url = urlsplit(self.admin_url)
        with (
            pymysql.connect(
                host=url.hostname,
                port=url.port or 0,
                user=url.username,
                password=unquote(url.password or ""),
                charset="utf8mb4",
                autocommit=True,
            ) as connection,
            connection.cursor() as cursor,
        ):
            yield cursor

    def operated(self) -> AbstractContextManager[pymysql.cursors.Cursor]:
        """A cursor of the sources' operator: global settings, others' rights."""
        return operated(self.root, self.operator)

    def change(self, *statements: str) -> None:
        """Execute statements in the sources, foreign keys unchecked."""
        with self.source() as cursor:
            cursor.execute("set foreign_key_checks = 0, sql_mode = ''")
            for statement in statements:
                cursor.execute(statement)

    def source_rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of `database.table` as pymysql gives them."""
        with self.source() as cursor:
            cursor.execute(f"select * from {table}")
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def day(self, number: int) -> None:
        """Bring the sources to the end of a day of the demo."""
        for day in range((demo.current_day(self.admin_url) or (0,))[0] + 1, number + 1):
            demo.apply_day(self.admin_url, day, ROWS)

    def _dump(self) -> dict[str, tuple[str, list[Row]]]:
        out = {}
        with self.source() as cursor:
            cursor.execute(
                "select concat(table_schema, '.', table_name) from "
                "information_schema.tables where table_schema in ('shop', 'crm')"
            )
            for (table,) in list(cursor.fetchall()):
                cursor.execute(f"show create table {table}")
                create = cursor.fetchone()
                assert create
                cursor.execute(f"select * from {table}")
                out[table] = (str(create[1]), list(cursor.fetchall()))
        return out

    def deliver(self, name: str) -> None:
        """Have the sources as in checkpoint `name`; the warehouse stays."""
        self._undump(self.checkpoints[name].source)

    def _undump(self, dump: Mapping[str, tuple[str, list[Row]]]) -> None:
        with self.source() as cursor:
            cursor.execute("set foreign_key_checks = 0, time_zone = '+00:00'")
            cursor.execute(
                "select concat(table_schema, '.', table_name) from "
                "information_schema.tables where table_schema in ('shop', 'crm')"
            )
            for (table,) in list(cursor.fetchall()):
                cursor.execute(f"drop table {table}")
            for table, (create, rows) in dump.items():
                cursor.execute(f"use {table.partition('.')[0]}")
                cursor.execute(create)
                if rows:
                    marks = ", ".join(["%s"] * len(rows[0]))
                    cursor.executemany(f"insert into {table} values ({marks})", rows)

    # -- checkpoints -----------------------------------------------------------
    def _kept_beside(self) -> list[Path]:
        """What the product keeps on this machine of runs that the warehouse knows."""
        return [self.root / ".seedbed" / name for name in ("state", "lineage")]

    def save(self, name: str) -> None:
        """Remember everything under `name`."""
        database = f"saved_{name}"
        self._copy_database("seedbed", database)
        state = self.root.parent / database
        shutil.rmtree(state, ignore_errors=True)
        for folder in self._kept_beside():
            if folder.exists():
                shutil.copytree(folder, state / folder.name)
        self.checkpoints[name] = Checkpoint(database, self._dump(), state)

    def restore(self, name: str, source: str | None = None) -> None:
        """Go back to checkpoint `name`, or have the sources as in `source`."""
        self.start()
        self.restore_seed()
        checkpoint = self.checkpoints[name]
        self._copy_database(checkpoint.database, "seedbed")
        self._undump(self.checkpoints[source or name].source)
        self._empty_lake()
        for folder in self._kept_beside():
            shutil.rmtree(folder, ignore_errors=True)
            if (kept := checkpoint.state / folder.name).exists():
                shutil.copytree(kept, folder)

    def restore_seed(self) -> None:
        """Have the seed as it was: a run follows its sources by writing it."""
        changed = {p: t for p, t in self.seed.items() if p.read_text() != t}
        for path, text in changed.items():
            path.write_text(text)
        if changed:
            self.generate()

    def _copy_database(self, old: str, new: str) -> None:
        with self.connect("postgres") as connection:
            # A user of the probe is not ours to end, and is about to go.
            others = (
                "select exists (select from pg_stat_activity where datname = any(%s) "
                "and backend_type = 'client backend' and usename <> current_user)"
            )
            deadline = time.monotonic() + 10
            while connection.execute(others, ([old, new],)).fetchone() == (True,):
                assert time.monotonic() < deadline, "somebody else is connected"
                time.sleep(0.02)
            connection.execute(
                # A vacuum is not ours to end; Postgres sends it away by itself.
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = any(%s) and backend_type = 'client backend'",
                ([old, new],),
            )
            for statement in (
                "drop database if exists {new}",
                "create database {new} template {old}",
            ):
                names = {"new": sql.Identifier(new), "old": sql.Identifier(old)}
                connection.execute(sql.SQL(statement).format(**names))

    def _empty_lake(self) -> None:
        client = self.s3()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket="lake"):
            if found := [{"Key": entry["Key"]} for entry in page.get("Contents", [])]:
                client.delete_objects(Bucket="lake", Delete={"Objects": found})
        for path in (self.root / ".seedbed" / "lake").iterdir():
            shutil.rmtree(path)

    def s3(self) -> Any:
        """A client of the lake's store."""
        return boto3.client(
            "s3",
            endpoint_url=self.env["AWS_ENDPOINT_URL_S3"],
            region_name=self.env["AWS_REGION"],
            aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"],
            config=Config(proxies={}),
        )

    # -- the seed --------------------------------------------------------------
    @contextmanager
    def edited(self, file: str, old: str, new: str) -> Iterator[None]:
        """Replace the one line of a seed file that starts with `old`, then undo it.

        The generated models follow, both times.
        """
        path = self.root / "seeds" / "metadata" / f"{file}.csv"
        before = path.read_text()
        lines = before.splitlines()
        matches = [i for i, line in enumerate(lines) if line.startswith(old)]
        assert len(matches) == 1, (old, matches)
        lines[matches[0]] = new
        path.write_text("\n".join(lines) + "\n")
        try:
            self.generate()
            yield
        finally:
            path.write_text(before)
            self.generate()

    def options(self, *lines: str) -> AbstractContextManager[None]:
        """The seed with more lines of options.csv."""
        old = "shop,customers,soft_delete_column,deleted_at"
        return self.edited("options", old, "\n".join((old, *lines)))

    def under(self, policy: str, start: str) -> AbstractContextManager[None]:
        """Give the row of tables.csv that starts so another on_schema_change."""
        text = (self.root / "seeds" / "metadata" / "tables.csv").read_text()
        (line,) = [n for n in text.splitlines() if n.startswith(start)]
        return self.edited("tables", start, line.replace(",evolve,", f",{policy},"))

    def generate(self) -> None:
        """`./seedbed generate`, in this process."""
        from ingest.seed import generate

        changes = generate.plan(self.root, metadata.load(self.root))
        generate.apply(self.root, changes)

    def logs(self) -> str:
        """All that the product and its servers logged."""
        folder = self.root / ".seedbed" / "log"
        return "".join(p.read_text(errors="replace") for p in folder.iterdir())

    def audit(self) -> str:
        """All control tables as one text."""
        return json.dumps(self.contents(["audit"]))


# -- what the pipeline must come to, computed without it ----------------------


@functools.cache
def seed(name: str) -> list[dict[str, str]]:
    """The rows of a seed file."""
    path = REPOSITORY / "seeds" / "metadata" / f"{name}.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# Calling code, and what is dialled before a number inside the country.
_DIALS = {
    "DE": ("49", "0"),
    "FR": ("33", "0"),
    "US": ("1", "1"),
    "GB": ("44", "0"),
    "JP": ("81", "0"),
    "CN": ("86", "0"),
    "UA": ("380", "0"),
    "GR": ("30", ""),
    "AE": ("971", "0"),
    "IN": ("91", "0"),
    "KR": ("82", "0"),
    "BR": ("55", "0"),
}


def cleansed(value: Any, how: str, country: str = "") -> Any:
    """What `cleanse` in columns.csv makes of a value of the demo."""
    if value is None or not how:
        return value
    text = str(value).strip(" ")
    if how == "phone":
        digits = re.sub("[^0-9]", "", text)
        if not text.startswith("+"):
            code, trunk = _DIALS[country]
            national = code + digits.removeprefix(trunk)
            digits = digits[2:] if digits.startswith("00") else national
        fits = len(digits) == 11 if digits[:1] == "1" else 8 <= len(digits) <= 15
        fits = fits and not re.match("1[01]", digits)
        return f"+{digits}" if fits else None
    if how == "name":
        return text or None
    if how == "upper":
        return text.upper()
    if how in ("lower", "email"):
        text = text.lower()
    return None if how == "email" and not text else text


def expected(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A source row as silver must show it, by the seed's columns of `table`."""
    source, _, name = table.partition(".")
    out = {}
    for column in seed("columns"):
        if (column["source"], column["table"]) != (source, name):
            continue
        value = row[column["column"]]
        if column["data_type"] == "boolean" and value is not None:
            value = bool(value)
        if column["data_type"] == "json" and value is not None:
            value = json.loads(value)
        how = column["cleanse"]
        country = ""
        if how == "phone":
            country = next(
                o["value"]
                for o in seed("options")
                if (o["source"], o["table"]) == (source, name)
                and o["option"] == "phone_country"
            )
            country = str(row.get(country, country))
        out[column["name"]] = cleansed(value, how, country)
    return out


def columns_of(table: str) -> list[str]:
    """The names of a table's columns."""
    source, _, name = table.partition(".")
    return [
        c["name"]
        for c in seed("columns")
        if (c["source"], c["table"]) == (source, name)
    ]


def key_of(table: str) -> list[str]:
    """The names of a table's key columns."""
    source, _, name = table.partition(".")
    keyed = [
        (int(c["key_position"]), c["name"])
        for c in seed("columns")
        if (c["source"], c["table"]) == (source, name) and c["key_position"]
    ]
    return [name for _, name in sorted(keyed)]


def by_key(table: str, rows: Sequence[Mapping[str, Any]]) -> dict[Row, dict[str, Any]]:
    """Rows by their key, which must be unique."""
    names = key_of(table)
    out = {tuple(row[n] for n in names): dict(row) for row in rows}
    assert len(out) == len(rows), f"{table}: a key twice"
    return out
