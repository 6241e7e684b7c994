"""The probe: what each role may do, and what it sees of what is built.

It trusts neither the macros that make the views nor their grants: it looks at all that
is granted in the database (`rights.py`), connects as each role, and reads the views
of each environment. What personal data are is read from the models' columns;
what a masked value looks like is written here once more; and clear values, taken from
silver, are looked for in all other columns.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from typing import Any, LiteralString

import psycopg
from psycopg import conninfo, sql

from ingest import control, settings
from ingest.control import Connection
from ingest.errors import ConfigurationError, first_line
from ingest.seed import metadata
from orchestration import artifacts, rights
from orchestration.build import schema_of
from orchestration.rights import Grant

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
# What is noted of a view without a row filter, in the place of the filter's column.
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
            f"SEEDBED_ROLES is {prefix!r}: it is the beginning of the roles' names, a "
            "lower-case letter, then lower-case letters, digits and _, 40 characters "
            "at most."
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


@dataclass(frozen=True)
class Assertion:
    """What a role was found to see of a relation, or of a column of it.

    `told` is a paragraph where it does not hold: what is wrong and what to type; and
    where there was nobody to ask.
    """

    role: str
    relation: str
    column: str = ""
    pii: str = ""
    told: str = ""
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


def _without_columns() -> list[tuple[str, str, str]]:
    """Of those the ones whose YAML says nothing: schema, name and path."""
    return sorted(
        (node["schema"], node["alias"], node["original_file_path"])
        for node in _for_consumers()
        if not node["columns"] and node["config"]["materialized"] != "ephemeral"
    )


def served() -> list[Served]:
    """The models that consumers get views of."""
    found = []
    for node in (n for n in _for_consumers() if n["columns"]):
        config = node["config"]
        columns = node["columns"].values()
        classes = {c["name"]: c["config"]["meta"].get("pii") for c in columns}
        classes = {n: pii for n, pii in classes.items() if pii != metadata.HARMLESS}
        found.append(
            Served(
                node["alias"],
                node["schema"],
                {name: pii for name, pii in classes.items() if pii},
                tuple(
                    c["name"]
                    for c in columns
                    if not classes.get(c["name"])
                    and str(c["data_type"]).startswith(("varchar", "text"))
                ),
                config["meta"].get("row_filter", ""),
                schema_of("serving"),
            )
        )
    return sorted(found, key=lambda s: (s.schema, s.name))


def probe(connection: Connection, run_id: str) -> list[Assertion]:
    """Look at all rights, connect as each role and assert what it sees; write it down.

    `connection` is the owner's, which clear values are read by. Returns what does not
    hold.
    """
    known = environments(connection)
    built = served()
    own = _existing(connection, built)
    models = own + [
        model
        for prefix in sorted(known - {schema_of("")})
        for model in _elsewhere(connection, prefix, built)
    ]
    clear = _clear_values(connection, own)
    named = {role: role_name(role) for role in ROLES}
    there = {r: name for r, name in named.items() if _exists(connection, name)}
    done = _rights(connection, known, there, own)
    for role, name in named.items():
        if role not in there:
            told = (
                f"there is no role {name}, so what it sees could not be asserted; "
                "without it nobody but the owner sees anything. `./seedbed security "
                "plan` prints what whoever administers the server types."
            )
            done.append(Assertion(name, "", told=told))
        elif role in rights.CONSUMERS:
            with _connected_as(connection, name) as one:
                for model in models:
                    done += _seen(one, role, model, clear)
    done += _views(connection, own)
    for prefix in sorted(known - {schema_of("")}):
        done += _views_elsewhere(connection, f"{prefix}serving")
    done += _unserved()
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit.probe (run_id, role_name, relation, column_name, pii, "
            "told, holds) values (%s, %s, %s, %s, %s, %s, %s)",
            [(run_id, *astuple(a)) for a in done],
        )
    return [a for a in done if not a.holds]


def environments(connection: Connection) -> set[str]:
    """What the schemas of each environment begin with that the product has built.

    Those are the ones that a build has left a trace of, in the control tables or in
    its own, whose serving schema is of the owner's or of somebody who may build:
    anybody can call a schema as they like.
    """
    rows = connection.execute(
        r"""
        with built as (
            select substring(place from '^postgres\.(.*)gold$') as prefix
            from audit.build_state
            union
            select substring(model from '^(.*)silver\.') from audit.model_claim
            union
            select substring(nspname from '^(.+_)audit$')
            from pg_namespace
            inner join pg_class on relnamespace = pg_namespace.oid
            where relname = 'model_claim' and relowner = nspowner
        )
        select built.prefix
        from built
        inner join pg_namespace on nspname = built.prefix || 'serving'
        where
            pg_has_role(current_user, nspowner, 'member')
            or exists (
                select
                from pg_roles
                where
                    rolname = %s and pg_has_role(nspowner, pg_roles.oid, 'member')
            )
        """,
        (role_name("transformer"),),
    )
    return {schema_of(""), *(prefix for (prefix,) in rows)}


def _exists(connection: Connection, role: str) -> bool:
    query = "select from pg_roles where rolname = %s"
    return connection.execute(query, (role,)).fetchone() is not None


def _elsewhere(
    connection: Connection, prefix: str, built: Sequence[Served]
) -> list[Served]:
    """The consumers' views of another environment.

    Of a model that is known here its classes hold there, too; of all other columns the
    texts are looked at.
    """
    known = {model.name: model for model in built}
    serving = f"{prefix}serving"
    texts = _columns(connection, serving, only_texts=True)
    out = []
    for name, columns in _columns(connection, serving).items():
        model = known.get(name)
        pii = model.pii if model else {}
        out.append(
            Served(
                name,
                serving,
                {column: label for column, label in pii.items() if column in columns},
                tuple(sorted(texts.get(name, set()) - {*pii})),
                model.row_filter if model and model.row_filter in columns else "",
                serving,
            )
        )
    return out


def _existing(connection: Connection, models: list[Served]) -> list[Served]:
    """Those of the models whose views are there, with the columns that these have.

    A model that could not be built lacks what its definition says of late.
    """
    there = _columns(connection, schema_of("serving"))
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
    connection: Connection, schema: str, *, only_texts: bool = False
) -> dict[str, set[str]]:
    """The columns of each relation of a schema."""
    rows = connection.execute(
        "select relname, array_agg(attname) from pg_class "
        "join pg_attribute on attrelid = pg_class.oid "
        "where relnamespace = (select oid from pg_namespace where nspname = %s) "
        "and relkind in ('r', 'p', 'v', 'm', 'f') and attnum > 0 and not attisdropped "
        "and (not %s or atttypid in ('text'::regtype, 'varchar'::regtype)) "
        "group by relname",
        (schema, only_texts),
    )
    return {name: {*columns} for name, columns in rows}


@contextmanager
def _connected_as(connection: Connection, role: str) -> Iterator[Connection]:
    """A connection of a user that is in the role and nothing else.

    The user is made for it and dropped; where that is not allowed, the role is taken
    on by SET ROLE.
    """
    user = f"seedbed_probe_{secrets.token_hex(4)}"
    password = secrets.token_urlsafe(24)
    try:
        _forget_old_users(connection)
        connection.execute(
            sql.SQL(
                "create role {} login password {} "
                "valid until {} connection limit 1 in role {}"
            ).format(
                sql.Identifier(user),
                # The server's log may show the statement.
                sql.Literal(_verifier(connection, user, password)),
                sql.Literal(_soon(connection)),
                sql.Identifier(role),
            )
        )
    except psycopg.errors.InsufficientPrivilege:
        with _taken_on(role) as own:
            yield own
        return
    try:
        parts = settings.warehouse() | {"user": user, "password": password}
        with psycopg.connect(conninfo.make_conninfo(**parts), autocommit=True) as own:
            yield own
    finally:
        connection.execute(sql.SQL("drop role {}").format(sql.Identifier(user)))


def _verifier(connection: Connection, user: str, password: str) -> str:
    return connection.pgconn.encrypt_password(
        password.encode(), user.encode(), b"scram-sha-256"
    ).decode()


def _soon(connection: Connection) -> str:
    row = connection.execute("select now() + interval '10 minutes'").fetchone()
    return str(row[0]) if row else ""


def _forget_old_users(connection: Connection) -> None:
    """Drop the users that a killed probe left."""
    rows = connection.execute(
        "select rolname from pg_roles "
        "where rolname like 'seedbed\\_probe\\_%' and rolvaliduntil < now()"
    ).fetchall()
    for (name,) in rows:
        connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


@contextmanager
def _taken_on(role: str) -> Iterator[Connection]:
    with control.connect() as own:
        try:
            own.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        except psycopg.errors.InsufficientPrivilege as error:
            raise ConfigurationError(
                f"what {role} sees can't be asserted: {first_line(error)}. Whoever "
                f"administers the server types: grant {role} to {own.info.user} with "
                "admin option, inherit false, set true; and run again."
            ) from error
        yield own


# -- what must be closed -------------------------------------------------------


def _rights(
    connection: Connection,
    known: Collection[str],
    named: Mapping[str, str],
    own: Sequence[Served],
) -> list[Assertion]:
    """What anybody may do and should not."""
    schemas = ["bronze", "audit", *(f"{p}{layer}" for p in known for layer in _LAYERS)]
    serving = {f"{prefix}serving" for prefix in known}
    views = {(model.serving, model.name) for model in own}

    def may(role: str, grant: Grant) -> bool:
        return _may(role, grant, serving, views)

    found = rights.leaks(rights.read(connection, schemas, named.values()), named, may)
    out = [
        Assertion(leak.role, leak.relation, told=leak.told, holds=False)
        for leak in found
    ]
    for name in named.values():
        if told := _attributes(connection, name):
            out.append(Assertion(name, name, told=told, holds=False))
    wrong = {assertion.role for assertion in out}
    return out + [
        Assertion(name, "what is not for the role")
        for name in named.values()
        if name not in wrong
    ]


def _attributes(connection: Connection, role: str) -> str:
    """What to say of a role that no right binds."""
    row = connection.execute(
        "select rolsuper, rolbypassrls, rolcreaterole from pg_roles where rolname = %s",
        (role,),
    ).fetchone()
    names = ("superuser", "bypassrls", "createrole")
    has = [n for n, is_so in zip(names, row or (), strict=False) if is_so]
    if not has:
        return ""
    statement = f"alter role {role} {' '.join(f'no{name}' for name in has)};"
    return f"{role} has {', '.join(has)}, which is not for it. Type: {statement}"


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
    for model in models:
        if model.schema != schema_of("silver"):
            continue
        for column in (name for name in model.pii if name in there[model.name]):
            rows = connection.execute(
                sql.SQL(
                    "select distinct value from (select {column}::text as value "
                    "from {model} where length({column}::text) > 5 limit {limit}) as v"
                ).format(
                    column=sql.Identifier(column),
                    model=sql.Identifier(model.schema, model.name),
                    limit=sql.Literal(_CLEAR_VALUES),
                )
            )
            if not column.endswith("_date"):
                clear[f"{model.schema}.{model.name}.{column}"] = [v for (v,) in rows]
    return clear


def _seen(
    own: Connection, role: str, model: Served, clear: dict[str, list[str]]
) -> list[Assertion]:
    """What a role sees of each column of a view, in one look at its rows."""
    name = role_name(role)
    values = sorted({v for texts in clear.values() for v in texts})
    looks: list[sql.Composable] = [sql.SQL("count(*)")]
    for column, pii in model.pii.items():
        is_clear = sql.SQL("{column} is not null").format(column=_of(column))
        if role == "analyst" and pii in _SHAPES:
            is_clear += sql.SQL(" and {column}::text !~ {shape}").format(
                column=_of(column), shape=sql.Literal(_SHAPES[pii])
            )
        looks.append(sql.SQL("count(*) filter (where {})").format(is_clear))
    for column in model.text:
        looks.append(
            sql.SQL(
                "array_agg(distinct {column}::text) "
                "filter (where {column}::text = any(%(clear)s))"
            ).format(column=_of(column))
        )
    if model.row_filter:
        looks.append(
            sql.SQL("array_agg(distinct {}::text)").format(_of(model.row_filter))
        )
    query = sql.SQL("select {looks} from (select * from {view} limit {rows}) as seen")
    view = sql.Identifier(*model.view.split("."))
    try:
        row = own.execute(
            query.format(
                looks=sql.SQL(", ").join(looks), view=view, rows=sql.Literal(_ROWS)
            ),
            {"clear": values},
        ).fetchone()
    except psycopg.Error as error:
        if model.serving != schema_of("serving"):
            return []  # where nothing is seen, nothing leaks
        if not isinstance(error, psycopg.errors.InsufficientPrivilege):
            raise
        told = (
            f"{name} can't read {model.view}: {first_line(error)}. Type `./seedbed "
            "build`, which grants it."
        )
        return [Assertion(name, model.view, told=told, holds=False)]
    assert row
    counts, rest = row[1 : 1 + len(model.pii)], row[1 + len(model.pii) :]
    out = [
        Assertion(
            name,
            model.view,
            column,
            pii,
            _told_clear(name, model, column, pii, count) if count else "",
            not count,
        )
        for (column, pii), count in zip(model.pii.items(), counts, strict=True)
    ]
    for column, found in zip(model.text, rest, strict=False):
        for origin, texts in clear.items():
            same = len({*texts} & {*(found or ())})
            if same > min(_BY_CHANCE, len({*texts}) // 2):
                told = (
                    f"{name} sees clear values of {origin} in {model.view}.{column}: "
                    f"{same} of {len(texts)} that were looked for. Give the column a "
                    "class of personal data (`config: {meta: {pii: …}}` in its "
                    "model's YAML, or `pii` in seeds/metadata/columns.csv) and type "
                    "`./seedbed build`."
                )
                if model.serving != schema_of("serving"):
                    told = f"{told.partition(' Give ')[0]} {_close(model)}"
                out.append(Assertion(name, model.view, column, told=told, holds=False))
    if model.row_filter and role == "restricted_analyst":
        allowed = {
            access.value
            for access in metadata.load_row_access(settings.ROOT)
            if (access.role, access.column) == (name, model.row_filter)
        }
        more = {*(rest[-1] or ())} - allowed
        told = (
            f"{name} sees rows of {model.view} that it may not see: those with "
            f"{model.row_filter} {', '.join(sorted(map(str, more))[:5])}. Type `dbt "
            f"run --select {model.name}`, which makes the view anew; "
            "seeds/metadata/row_access.csv says what it may see."
        )
        out.append(
            Assertion(
                name,
                model.view,
                model.row_filter,
                told=told if more else "",
                holds=not more,
            )
        )
    elif role == "restricted_analyst":
        out.append(Assertion(name, model.view, ALL_ROWS))
    return out


def _of(column: str) -> sql.Composable:
    return sql.Identifier("seen", column)


def _told_clear(name: str, model: Served, column: str, pii: str, count: int) -> str:
    told = f"{name} sees {model.view}.{column} ({pii}) unmasked, in {count:,} rows."
    if model.serving != schema_of("serving"):
        return f"{told} {_close(model)}"
    return (
        f"{told} Type `dbt run --select {model.name}`, which makes the view anew, and "
        "`./seedbed security probe`."
    )


def _close(model: Served) -> str:
    """What closes a view of another environment."""
    prefix = model.serving.removesuffix("_serving")
    return (
        f"Type: drop view {model.view}; or let whoever builds {prefix} build it again "
        "from this seed."
    )


def _views(connection: Connection, models: Sequence[Served]) -> list[Assertion]:
    """What is in the serving schema and is none of the models' views with a barrier."""
    names = {m.name for m in models}
    out = []
    for name, kind, is_barrier in connection.execute(
        "select relname, relkind, "
        "coalesce('security_barrier=true' = any(reloptions), false) "
        "from pg_class where relnamespace = to_regnamespace(%s) order by relname",
        (schema_of("serving"),),
    ):
        view = f"{schema_of('serving')}.{name}"
        told = ""
        if name not in names:
            told = (
                f"{view} belongs to no model, and whoever may read it sees what it "
                f"shows. Type: drop {_KINDS.get(kind, 'view')} {view};"
            )
        elif kind != "v" or not is_barrier:
            told = (
                f"{view} is no view with security_barrier, so a consumer's function "
                f"could see rows that it hides. Type: drop {_KINDS.get(kind, 'view')} "
                f"{view}; and `dbt run --select {name}`, which makes it anew."
            )
        if told:
            out.append(Assertion("public", view, told=told, holds=False))
    return out


def _views_elsewhere(connection: Connection, serving: str) -> list[Assertion]:
    """What is in another environment's serving schema and was not made by its build.

    The comment on a view that a build makes says of which definition it is.
    """
    out = []
    for name, kind in connection.execute(
        "select relname, relkind from pg_class "
        "where relnamespace = (select oid from pg_namespace where nspname = %s) "
        "and not (relkind = 'v' "
        "and coalesce('security_barrier=true' = any(reloptions), false) "
        "and coalesce(obj_description(oid, 'pg_class'), '') "
        "like '%%(seedbed %% ' || (select md5(ev_action::text) from pg_rewrite "
        "where ev_class = pg_class.oid and rulename = '_RETURN') || ')') "
        "order by relname",
        (serving,),
    ):
        view = f"{serving}.{name}"
        told = (
            f"{view} is no view that a build has made: whoever may read it sees what "
            f"it shows. Type: drop {_KINDS.get(kind, 'view')} {view};"
        )
        out.append(Assertion("public", view, told=told, holds=False))
    return out


def _unserved() -> list[Assertion]:
    """Models that consumers get no view of, as no YAML says what they hold."""
    return [
        Assertion(
            "public",
            "",
            told=f"{schema}.{name} is served to nobody: its YAML lists no columns, so "
            "nothing says which of them hold personal data. List them in "
            f"{path.removesuffix('.sql')}.yml, or write there that nobody is to be "
            "served: `config: {meta: {serve: false}}`.",
        )
        for schema, name, path in _without_columns()
    ]


_KINDS = {"r": "table", "m": "materialized view", "v": "view", "S": "sequence"}
