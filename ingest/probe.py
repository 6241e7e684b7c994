"""The probe: connects as each role and asserts what it sees of what is built.

It trusts neither the macros that make the views nor their grants. What personal data
are is read from the models' columns; what a masked value looks like is written here
once more; and clear values, taken from silver, are looked for in all other columns.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from typing import LiteralString

import psycopg
from psycopg import conninfo, sql

from ingest import ledger, metadata, settings
from ingest.build import schema_of
from ingest.errors import ConfigurationError, first_line
from ingest.ledger import Connection

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

    @property
    def view(self) -> str:
        """The view's name, with its schema."""
        return f"{schema_of('serving')}.{self.name}"


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


def served() -> list[Served]:
    """The models that consumers get views of, from the manifest dbt wrote last."""
    text = (settings.ROOT / "target" / "manifest.json").read_text()
    found = []
    for node in json.loads(text)["nodes"].values():
        config = node["config"]
        if (
            node["resource_type"] != "model"
            or config["access"] == "private"
            or not config["meta"].get("serve", config["schema"] in ("silver", "gold"))
        ):
            continue
        columns = node["columns"].values()
        classes = {c["name"]: c["config"]["meta"].get("pii") for c in columns}
        found.append(
            Served(
                node["alias"],
                node["schema"],
                {name: pii for name, pii in classes.items() if pii},
                tuple(
                    c["name"]
                    for c in columns
                    if not classes[c["name"]]
                    and str(c["data_type"]).startswith(("varchar", "text"))
                ),
                config["meta"].get("row_filter", ""),
            )
        )
    return sorted(found, key=lambda s: (s.schema, s.name))


def probe(connection: Connection, run_id: str) -> list[Assertion]:
    """Connect as each role that is there and assert what it sees; write it down.

    `connection` is the owner's, which clear values are read by. Returns what does not
    hold.
    """
    models = _existing(connection, served())
    clear = _clear_values(connection, models)
    done: list[Assertion] = []
    for role in ("loader", "transformer", "analyst", "restricted_analyst"):
        name = role_name(role)
        if not _exists(connection, name):
            told = (
                f"there is no role {name}, so what it sees could not be asserted; "
                "without it nobody but the owner sees anything. `./seedbed security "
                "plan` prints what whoever administers the server types."
            )
            done.append(Assertion(name, "", told=told))
            continue
        with _connected_as(connection, name) as own:
            done += _closed(own, role, models)
            if role.endswith("analyst"):
                for model in models:
                    done += _seen(own, role, model, clear)
    done += _views(connection, models)
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit.probe (run_id, role_name, relation, column_name, pii, "
            "told, holds) values (%s, %s, %s, %s, %s, %s, %s)",
            [(run_id, *astuple(a)) for a in done],
        )
    return [a for a in done if not a.holds]


def _exists(connection: Connection, role: str) -> bool:
    query = "select from pg_roles where rolname = %s"
    return connection.execute(query, (role,)).fetchone() is not None


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


def _columns(connection: Connection, schema: str) -> dict[str, set[str]]:
    """The columns of each relation of a schema."""
    rows = connection.execute(
        "select relname, array_agg(attname) from pg_class "
        "join pg_attribute on attrelid = pg_class.oid "
        "where relnamespace = to_regnamespace(%s) and attnum > 0 "
        "and not attisdropped group by relname",
        (schema,),
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
    with ledger.connect() as own:
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

# Everything a role may do to anything that is no part of Postgres or an extension:
# kind, schema, name, what, and by whose grant where it was granted directly.
_RIGHTS = """
with

schemas as (

    select oid, nspname
    from pg_namespace
    where nspname !~ '^pg_' and nspname <> 'information_schema'

),

relations as (

    select
        pg_class.oid,
        schemas.nspname,
        pg_class.relname,
        pg_class.relacl,
        pg_class.relkind
    from pg_class
    inner join schemas on schemas.oid = pg_class.relnamespace
    where
        pg_class.relkind in ('r', 'p', 'v', 'm', 'f')
        and not exists (
            select
            from pg_depend
            where pg_depend.objid = pg_class.oid and pg_depend.deptype = 'e'
        )

)

select
    'relation' as kind,
    relations.nspname as schema,
    relations.relname as name,
    lower(privilege) as may,
    exists (
        select
        from aclexplode(relations.relacl) as acl
        where acl.grantee = 0 and acl.privilege_type = privilege
    ) as is_public
from relations
cross join unnest(
    array[
        'SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'
    ]
) as privilege
where
    has_table_privilege(relations.oid, privilege)
    or (
        privilege in ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
        and has_any_column_privilege(relations.oid, privilege)
    )
union all
select
    'schema',
    nspname,
    '',
    lower(privilege),
    false
from schemas
cross join unnest(array['USAGE', 'CREATE']) as privilege
where has_schema_privilege(oid, privilege)
union all
-- A function that runs with its owner's rights.
select
    'function',
    schemas.nspname,
    pg_proc.proname || '(' || pg_get_function_identity_arguments(pg_proc.oid) || ')',
    'execute',
    true
from pg_proc
inner join schemas on schemas.oid = pg_proc.pronamespace
where
    pg_proc.prosecdef
    and has_function_privilege(pg_proc.oid, 'EXECUTE')
    and has_schema_privilege(schemas.oid, 'USAGE')
order by 1, 2, 3, 4
"""


def _closed(own: Connection, role: str, models: Sequence[Served]) -> list[Assertion]:
    """What a role may do and should not."""
    name = role_name(role)
    views = {(schema_of("serving"), m.name) for m in models}
    found: dict[tuple[str, str, str], list[str]] = {}
    public: set[tuple[str, str, str]] = set()
    for kind, schema, thing, may, is_public in own.execute(_RIGHTS):
        if not _may(role, kind, schema, thing, may, views):
            found.setdefault((kind, schema, thing), []).append(may)
            if is_public:
                public.add((kind, schema, thing))
    if not found:
        return [Assertion(name, "what is not for the role")]
    leaks = []
    for (kind, schema, thing), rights in found.items():
        relation = f"{schema}.{thing}" if thing else schema
        what = {"relation": "", "schema": "schema ", "function": "function "}[kind]
        grantee = "public" if (kind, schema, thing) in public else name
        told = (
            f"{name} may {', '.join(rights)} {what}{relation}, which is not for it. "
            f"Type: revoke all on {what}{relation} from {grantee}; and, if it still "
            f"may, look at the roles that {name} is a member of (\\drg {name}). "
            "Consumers get views in the schema "
            f"{schema_of('serving')} only."
        )
        leaks.append(Assertion(name, relation, told=told, holds=False))
    return leaks


def _may(
    role: str,
    kind: str,
    schema: str,
    thing: str,
    may: str,
    views: set[tuple[str, str]],
) -> bool:
    """Whether it is right that a role may do something."""
    if schema == "public" and kind == "schema":
        return may == "usage"
    # Other places' views are probed after their own builds.
    is_serving = schema == "serving" or schema.endswith("_serving")
    control = schema in ("bronze", "audit")
    if role == "loader":
        return control
    if role == "transformer":
        if kind == "function" or schema == "public" or is_serving:
            return False
        if (schema, thing) == ("audit", "model_claim"):
            return may in ("select", "insert", "update")
        return may in ("usage", "select")
    if kind == "schema":
        return is_serving and may == "usage"
    own = schema == schema_of("serving")
    return (
        kind == "relation"
        and may == "select"
        and (((schema, thing) in views) if own else is_serving)
    )


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
    except psycopg.errors.InsufficientPrivilege as error:
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
    return out


def _of(column: str) -> sql.Composable:
    return sql.Identifier("seen", column)


def _told_clear(name: str, model: Served, column: str, pii: str, count: int) -> str:
    return (
        f"{name} sees {model.view}.{column} ({pii}) unmasked, in {count:,} rows. Type "
        f"`dbt run --select {model.name}`, which makes the view anew, and "
        "`./seedbed security probe`."
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
                f"{view} is none of the views that the models have: whoever may read "
                f"it sees what it shows. Type: drop {_KINDS.get(kind, 'view')} {view};"
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


_KINDS = {"r": "table", "m": "materialized view", "v": "view", "S": "sequence"}
