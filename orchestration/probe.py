"""The probe: what each role may do, and what it sees of what is built.

It trusts neither the macros that make the views nor their grants: it looks at all that
is granted in the database (`rights.py`), connects as each role, and reads the views
of each environment. What personal data are is read from the models' columns;
what a masked value looks like is written here once more; and clear values, taken from
silver, are looked for in all other columns.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, LiteralString

import psycopg
from psycopg import conninfo, sql

from ingest import control, settings
from ingest.control import Connection
from ingest.errors import ConfigurationError, first_line
from ingest.seed import metadata
from ingest.statements import Statements
from orchestration import artifacts, rights
from orchestration.build import schema_of
from orchestration.rights import Grant

_SQL = Statements(__file__)
# What an analyst may see of a class, as a regular expression; of a class that is not
# here, and of other types than these, nothing. A restricted analyst sees nothing.
_SHAPES: dict[str, LiteralString] = {
    "name": r"^.?\*\*\*$",
    "email": r"^\*\*\*@[^@]*$",
    "phone": r"^\*\*\*.{0,2}$",
    "birth_date": r"-01-01$",
}
# Rows of a view that are looked at, and clear values that are looked for in them.
_ROWS = 100_000
_CLEAR_VALUES = 200
ROLES = ("loader", "transformer", *rights.CONSUMERS)
# What is noted of a view without a row filter, instead of the filter's column.
ALL_ROWS = "*"
# The schemas of an environment.
_LAYERS = "staging silver gold quality metadata work audit serving".split()
# A city may have somebody's name. Of a copied column more values than these appear.
_BY_CHANCE = 4


def role_name(role: str) -> str:
    """The warehouse's name of loader, transformer, analyst or restricted_analyst."""
    prefix = settings.variable("SEEDBED_ROLES", "seedbed")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", prefix):
        raise ConfigurationError(
            f"SEEDBED_ROLES is {prefix!r}, which can't begin the names of roles.",
            "Name a lower-case letter, then lower-case letters, digits and _, 40 "
            "characters at most.",
        )
    return f"{prefix}_{role}"


@dataclass(frozen=True)
class Served:
    """A model and its view for consumers; `pii` and `text` are names of columns."""

    name: str
    schema: str
    pii: dict[str, str]
    text: tuple[str, ...]
    row_filter: str
    serving: str

    @property
    def view(self) -> str:
        """The view's name, with its schema."""
        return f"{self.serving}.{self.name}"

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is a view of another environment."""
        return self.serving != schema_of("serving")

    @property
    def close(self) -> str:
        """What closes a view of another environment."""
        prefix = self.serving.removesuffix("_serving")
        return (
            f"Type: drop view {self.view}; or let whoever builds {prefix} build it "
            "again from this seed."
        )


@dataclass(frozen=True)
class Assertion:
    """What a role was found to see of a relation, or of a column of it.

    `message` is a paragraph where it does not hold, with what is wrong and what to
    type, and where the role is not there.
    """

    role_name: str
    relation: str
    column_name: str = ""
    pii: str = ""
    message: str = ""
    holds: bool = True


def _for_consumers() -> Iterator[dict[str, Any]]:
    """The models that consumers are to see, from the manifest dbt wrote last."""
    for node in artifacts.nodes(artifacts.folder("postgres")).values():
        config = node["config"]
        if (
            node["resource_type"] == "model"
            and config["access"] != "private"
            and config["meta"].get("serve", config["schema"] in ("silver", "gold"))
        ):
            yield node


def served() -> list[Served]:
    """The models that consumers get views of."""
    found = []
    for node in (n for n in _for_consumers() if n["columns"]):
        columns = node["columns"].values()
        classes = {c["name"]: c["config"]["meta"].get("pii") for c in columns}
        pii = {n: kind for n, kind in classes.items() if kind}
        pii = {n: kind for n, kind in pii.items() if kind != metadata.HARMLESS}
        texts = tuple(
            c["name"]
            for c in columns
            if c["name"] not in pii
            and str(c["data_type"]).startswith(("varchar", "text"))
        )
        row_filter = node["config"]["meta"].get("row_filter", "")
        serving = schema_of("serving")
        found.append(
            Served(node["alias"], node["schema"], pii, texts, row_filter, serving)
        )
    return sorted(found, key=lambda s: (s.schema, s.name))


def probe(
    connection: Connection, run_id: str, *, is_built: bool = True
) -> list[Assertion]:
    """Look at all rights, connect as each role and assert what it sees; write it down.

    `connection` is the owner's, which clear values are read by. Where a run has not
    built anything (`is_built`), and views and rows are those of a look that found all
    well, what is seen is noted as that look has it. Returns what does not hold.
    """
    known = environments(connection)
    here = schema_of("serving")
    others = [f"{prefix}serving" for prefix in sorted(known - {schema_of("")})]
    built = served()
    own = _existing(connection, built)
    models = own + [m for name in others for m in _elsewhere(connection, name, built)]
    named = {role: role_name(role) for role in ROLES}
    rows = _SQL.run(connection, "roles", names=[*named.values()])
    attributes: dict[str, list[str]] = dict(rows.fetchall())
    there = {role: name for role, name in named.items() if name in attributes}
    state = _state(connection, known, models, there)
    # The run that looked at this state and found all well, if its notes are there.
    rows = _SQL.run(connection, "seen_by", environment=here, state=state)
    before = None if is_built else next((seen_by for (seen_by,) in rows), None)
    clear = {} if before else _clear_values(connection, own)
    seen: list[Assertion] = []
    for role in rights.CONSUMERS:
        if role in there and not before:
            with _connected_as(connection, there[role]) as one:
                for model in models:
                    seen += _seen(one, role, model, clear)
    done = _rights(connection, known, there, own, attributes)
    done += [_absent(name) for role, name in named.items() if role not in there]
    done += _views(connection, here, {model.name for model in own})
    for name in others:
        done += _views(connection, name)
    done += [*_unserved(), *seen]
    with connection.transaction():
        for assertion in done:
            _SQL.run(connection, "note", run_id=run_id, **vars(assertion))
        if before:
            _SQL.run(connection, "note_again", run_id=run_id, before=before)
        else:
            state = state if all(a.holds for a in seen) else ""
            of = {"environment": here, "run_id": run_id}
            _SQL.run(connection, "note_state", state=state, **of)
    return [a for a in done if not a.holds]


def _absent(name: str) -> Assertion:
    return Assertion(
        name,
        "",
        message=f"there is no role {name}, so what it sees could not be asserted; "
        "without it only the owner sees anything. `./seedbed security plan` prints "
        "what an administrator of the server types.",
    )


def _state(
    connection: Connection,
    known: Collection[str],
    models: Sequence[Served],
    there: Mapping[str, str],
) -> str:
    """A checksum of all that decides what is seen: rows, views, and what is masked."""
    layers = [layer for layer in _LAYERS if layer != "audit"]
    schemas = ["bronze", *(f"{p}{layer}" for p in known for layer in layers)]
    row = _SQL.run(connection, "state", schemas=schemas).fetchone()
    access = metadata.load_row_access(settings.ROOT)
    text = repr((row, models, sorted(there.items()), access))
    return hashlib.sha256(text.encode()).hexdigest()


def environments(connection: Connection) -> set[str]:
    """What the schemas of each environment begin with that the product has built.

    Anybody can call a schema as they like, so a name alone makes none.
    """
    transformer = role_name("transformer")
    rows = _SQL.run(connection, "environments", transformer=transformer)
    return {schema_of(""), *(prefix for (prefix,) in rows)}


def _elsewhere(
    connection: Connection, serving: str, built: Sequence[Served]
) -> list[Served]:
    """The consumers' views of another environment.

    Of a model that is known here its classes hold there, too; of all other columns the
    texts are looked at.
    """
    known = {model.name: model for model in built}
    out = []
    for name, (columns, texts) in _columns(connection, serving).items():
        model = known.get(name) or Served(name, "", {}, (), "", "")
        out.append(
            Served(
                name,
                serving,
                {column: pii for column, pii in model.pii.items() if column in columns},
                tuple(sorted(texts - {*model.pii})),
                model.row_filter if model.row_filter in columns else "",
                serving,
            )
        )
    return out


def _existing(connection: Connection, models: list[Served]) -> list[Served]:
    """Those of the models whose views are there, with the columns that these have.

    A model that could not be built lacks what its definition says of late.
    """
    found = _columns(connection, schema_of("serving"))
    there = {name: columns for name, (columns, _) in found.items()}
    return [
        replace(
            m,
            pii={name: pii for name, pii in m.pii.items() if name in there[m.name]},
            text=tuple(name for name in m.text if name in there[m.name]),
        )
        for m in models
        if m.name in there
    ]


def _columns(
    connection: Connection, schema: str
) -> dict[str, tuple[set[str], set[str]]]:
    """The columns of each relation of a schema, and those of them that are texts."""
    rows = _SQL.run(connection, "columns", schema=schema)
    return {name: ({*columns}, {*texts}) for name, columns, texts in rows}


@contextmanager
def _connected_as(connection: Connection, role: str) -> Iterator[Connection]:
    """A connection of a user that is in the role and nothing else.

    The user is made for it and dropped; where that is not allowed, the role is taken
    on by SET ROLE.
    """
    user = f"seedbed_probe_{secrets.token_hex(4)}"
    password = secrets.token_urlsafe(24)
    # The server's log may show the statement.
    verifier = connection.pgconn.encrypt_password(
        password.encode(), user.encode(), b"scram-sha-256"
    )
    try:
        for (name,) in _SQL.run(connection, "users").fetchall():
            _drop(connection, name)
        create = sql.SQL(
            "create role {} login password {} valid until {} connection limit 1 "
            "in role {}"
        ).format(
            sql.Identifier(user),
            verifier.decode(),
            _SQL.value(connection, "soon"),
            sql.Identifier(role),
        )
        connection.execute(create)
    except psycopg.errors.InsufficientPrivilege:
        with _taken_on(role) as own:
            yield own
        return
    try:
        parts = settings.warehouse() | {"user": user, "password": password}
        with psycopg.connect(conninfo.make_conninfo(**parts), autocommit=True) as own:
            yield own
    finally:
        _drop(connection, user)


def _drop(connection: Connection, user: str) -> None:
    connection.execute(sql.SQL("drop role {}").format(sql.Identifier(user)))


@contextmanager
def _taken_on(role: str) -> Iterator[Connection]:
    with control.connect() as own:
        try:
            own.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        except psycopg.errors.InsufficientPrivilege as error:
            raise ConfigurationError(
                f"what {role} sees can't be asserted: {first_line(error)}.",
                f"An administrator of the server types: grant {role} to "
                f"{own.info.user} with admin option, inherit false, set true; then run "
                "again.",
            ) from error
        yield own


# -- what must be closed -------------------------------------------------------


def _rights(
    connection: Connection,
    known: Collection[str],
    named: Mapping[str, str],
    own: Sequence[Served],
    attributes: Mapping[str, Sequence[str]],
) -> list[Assertion]:
    """What anybody may do and should not; `attributes` are what no right binds."""
    schemas = ["bronze", "audit", *(f"{p}{layer}" for p in known for layer in _LAYERS)]
    serving = {f"{prefix}serving" for prefix in known}
    views = {(model.serving, model.name) for model in own}

    def may(role: str, grant: Grant) -> bool:
        return _may(role, grant, serving, views)

    found = rights.leaks(connection, schemas, named, may)
    out = [_wrong(leak.role, leak.relation, leak.message) for leak in found]
    for name in named.values():
        if has := attributes[name]:
            close = f"alter role {name} {' '.join(f'no{one}' for one in has)};"
            has_it = f"{name} has {', '.join(has)}, which is not for it. Type: {close}"
            out.append(_wrong(name, name, has_it))
    wrong = {assertion.role_name for assertion in out}
    return out + [
        Assertion(name, "what is not for the role")
        for name in named.values()
        if name not in wrong
    ]


def _wrong(role: str, relation: str, message: str) -> Assertion:
    return Assertion(role, relation, message=message, holds=False)


def _may(
    role: str, grant: Grant, serving: Collection[str], views: set[tuple[str, str]]
) -> bool:
    """Whether it is right that a role, or everybody, has a right."""
    kind, schema, may = grant.kind, grant.schema, grant.may
    if schema == "public" and kind == "schema":
        return may == "usage"
    control = schema in ("bronze", "audit")
    if role == "loader":
        return control
    if role == "transformer":
        if kind in ("function", "server") or schema == "public" or schema in serving:
            return False
        return may == "select" or (kind == "schema" and may == "usage")
    if role not in rights.CONSUMERS or schema not in serving:
        return False
    if kind == "schema":
        return may == "usage"
    # The views of other environments are looked at one by one.
    is_view = (schema, grant.name) in views or schema != schema_of("serving")
    return kind == "relation" and may == "select" and is_view


# -- what is seen --------------------------------------------------------------


def _clear_values(
    connection: Connection, models: Sequence[Served]
) -> dict[str, list[str]]:
    """Some clear texts of each column of personal data in silver, by its name."""
    clear: dict[str, list[str]] = {}
    there = _columns(connection, schema_of("silver"))
    for model in (m for m in models if m.schema == schema_of("silver")):
        columns, _ = there[model.name]
        for column in (name for name in model.pii if name in columns):
            if column.endswith("_date"):
                continue
            query = sql.SQL(_SQL.texts["clear_values"]).format(
                column_name=sql.Identifier(column),
                model=sql.Identifier(model.schema, model.name),
            )
            rows = connection.execute(query, {"at_most": _CLEAR_VALUES})
            clear[f"{model.schema}.{model.name}.{column}"] = [v for (v,) in rows]
    return clear


def _seen(
    own: Connection, role: str, model: Served, clear: dict[str, list[str]]
) -> list[Assertion]:
    """What a role sees of each column of a view, in one look at its rows."""
    name = role_name(role)

    def seen(column: str, message: str = "", pii: str = "") -> Assertion:
        return Assertion(name, model.view, column, pii, message, not message)

    try:
        row = _look(own, role, model, {v for texts in clear.values() for v in texts})
    except psycopg.Error as error:
        if model.is_elsewhere:
            return []  # where nothing is seen, nothing leaks
        if not isinstance(error, psycopg.errors.InsufficientPrivilege):
            raise
        message = (
            f"{name} can't read {model.view}: {first_line(error)}. Type `./seedbed "
            "build`, which grants it."
        )
        return [seen("", message)]
    rebuild = f"Type `dbt run --select {model.name}`, which makes the view again"
    close = f"{rebuild}, and `./seedbed security probe`."
    if model.is_elsewhere:
        close = model.close
    out = []
    for (column, pii), count in zip(model.pii.items(), row, strict=False):
        leak = f"{name} sees {model.view}.{column} ({pii}) unmasked, in {count:,} rows."
        out.append(seen(column, f"{leak} {close}" if count else "", pii))
    close = (
        "Give the column a class of personal data (`config: {meta: {pii: …}}` in its "
        "model's YAML, or `pii` in seeds/metadata/columns.csv) and type `./seedbed "
        "build`."
    )
    if model.is_elsewhere:
        close = model.close
    for column, texts in zip(model.text, row[len(model.pii) :], strict=False):
        for origin, values in clear.items():
            same = len({*values} & {*(texts or ())})
            if same > min(_BY_CHANCE, len({*values}) // 2):
                leak = f"{name} sees clear values of {origin} in {model.view}.{column}"
                many = f"{same} of {len(values)} that were looked for"
                out.append(seen(column, f"{leak}: {many}. {close}"))
    if role != "restricted_analyst":
        return out
    if not model.row_filter:
        return [*out, seen(ALL_ROWS)]
    allowed = {
        access.value
        for access in metadata.load_row_access(settings.ROOT)
        if (access.role, access.column) == (name, model.row_filter)
    }
    message = ""
    if more := {*(row[-1] or ())} - allowed:
        message = (
            f"{name} sees rows of {model.view} that it may not see: those with "
            f"{model.row_filter} {', '.join(sorted(map(str, more))[:5])}. {rebuild}; "
            "seeds/metadata/row_access.csv says what it may see."
        )
    return [*out, seen(model.row_filter, message)]


def _look(
    own: Connection, role: str, model: Served, clear: Collection[str]
) -> Sequence[Any]:
    """Of each column what is to be looked at, in the model's order.

    The number of clear values of a column of personal data, those of `clear` in one
    of texts, and all values of the row filter's.
    """
    looks: list[sql.Composable] = [sql.SQL("count(*)")]
    for column, pii in model.pii.items():
        is_clear = sql.SQL("{} is not null").format(_of(column))
        if role == "analyst" and pii in _SHAPES:
            unlike = sql.SQL(" and {}::text !~ {}").format(_of(column), _SHAPES[pii])
            is_clear += unlike
        looks.append(sql.SQL("count(*) filter (where {})").format(is_clear))
    for column in model.text:
        look = "array_agg(distinct {0}::text) filter (where {0}::text = any(%(clear)s))"
        looks.append(sql.SQL(look).format(_of(column)))
    if model.row_filter:
        look = "array_agg(distinct {}::text)"
        looks.append(sql.SQL(look).format(_of(model.row_filter)))
    query = sql.SQL(_SQL.texts["look"]).format(
        looks=sql.SQL(", ").join(looks), view=sql.Identifier(*model.view.split("."))
    )
    values = {"clear": sorted(clear), "at_most": _ROWS}
    _, *found = own.execute(query, values).fetchone() or (0,)
    return found


def _of(column: str) -> sql.Composable:
    return sql.Identifier("seen", column)


def _views(
    connection: Connection, serving: str, names: Collection[str] | None = None
) -> list[Assertion]:
    """What is in a serving schema and should not be.

    In this environment's, that is what is none of the models' views with a barrier
    (`names`), in another's what its build has not made.
    """
    out = []
    for name, kind, is_protected, is_built in _SQL.run(
        connection, "views", schema=serving
    ):
        view = f"{serving}.{name}"
        drop = f"Type: drop {_KINDS.get(kind, 'view')} {view};"
        if names is None:
            message = (
                f"{view} is no view that a build has made: whoever may read it sees "
                f"what it shows. {drop}"
            )
            is_right = is_protected and is_built
        elif name not in names:
            message = (
                f"{view} belongs to no model, and whoever may read it sees what it "
                f"shows. {drop}"
            )
            is_right = False
        else:
            message = (
                f"{view} is no view with security_barrier, so a consumer's function "
                f"could see rows that it hides. {drop} and `dbt run --select {name}`, "
                "which makes it again."
            )
            is_right = is_protected
        if not is_right:
            out.append(_wrong("public", view, message))
    return out


def _unserved() -> list[Assertion]:
    """Models that consumers get no view of, as no YAML says what they hold."""
    nodes = [
        node
        for node in _for_consumers()
        if not node["columns"] and node["config"]["materialized"] != "ephemeral"
    ]
    return [
        Assertion(
            "public",
            "",
            message=f"{node['schema']}.{node['alias']} is served to nobody: its YAML "
            "lists no columns, so nothing says which of them hold personal data. List "
            f"them in {node['original_file_path'].removesuffix('.sql')}.yml, or write "
            "there that nobody is to be served: `config: {meta: {serve: false}}`.",
        )
        for node in sorted(nodes, key=lambda n: (n["schema"], n["alias"]))
    ]


_KINDS = {"r": "table", "m": "materialized view", "v": "view", "S": "sequence"}
