"""Rights: what anybody but the owner may do in the database, and what closes it.

Read from the catalogue, whoever granted it: tables, views, materialized views, foreign
tables, sequences, columns, schemas, functions with their owner's rights, foreign
servers, what is granted in advance, and memberships of roles.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingest.control import Connection
from ingest.statements import Statements

_SQL = Statements(__file__)
PUBLIC = "public"
CONSUMERS = ("analyst", "restricted_analyst")
# Roles of Postgres itself whose members read or write whatever there is.
_PREDEFINED = {
    "pg_read_all_data": "read every table",
    "pg_write_all_data": "write every table",
    "pg_read_server_files": "read files of the server",
    "pg_write_server_files": "write files of the server",
    "pg_execute_server_program": "run programs on the server",
}


@dataclass(frozen=True)
class Grant:
    """A right to something that is no part of Postgres or an extension.

    `kind` is relation, sequence, schema, function, server or default, which is granted
    in advance. `said` is what stands behind ON in a REVOKE, `ahead` what stands before
    it. `grantee` '' is everybody. `is_ours`: the thing is in an environment's schema,
    shows what is in one, or runs with the rights of who owns one.
    """

    kind: str
    schema: str
    name: str
    column_name: str
    may: str
    grantee: str
    owner: str
    said: str
    ahead: str
    is_ours: bool


@dataclass(frozen=True)
class _Way:
    """That a member leads to a role: by `first`, which `grantors` put it into.

    `acts_as`: it has the role's rights without being asked.
    """

    member: str
    first: str
    role: str
    acts_as: bool
    is_superuser: bool
    grantors: list[str]


@dataclass(frozen=True)
class Leak:
    """What a role may do and should not: to what, and what to type."""

    role: str
    relation: str
    message: str


def leaks(
    connection: Connection,
    schemas: Iterable[str],
    named: Mapping[str, str],
    may: Callable[[str, Grant], bool],
) -> list[Leak]:
    """What is granted that should not be, a leak for each thing and grantee.

    `schemas` are the environments', `named` the four roles' names; `may` says whether
    one of them, or `public`, should have a right. The roles and everybody are asked
    about all schemas, others about what is ours.
    """
    four = {*named.values()}
    grants = _SQL.rows(connection, Grant, "grants", schemas=[*schemas])
    # Of the log and the control tables: who runs it all.
    owners = {name for (name,) in _SQL.run(connection, "owners")}
    ways: dict[str, dict[str, _Way]] = defaultdict(dict)
    for way in _SQL.rows(connection, _Way, "memberships", named=[*four]):
        ways[way.member][way.role] = way
    # Which of the four a role is or may become; they themselves are to become no other.
    who = {
        member: [role for role, name in named.items() if name in led_to]
        for member, led_to in ways.items()
    } | {name: [role] for role, name in named.items()}

    def is_wrong(role: str, grant: Grant) -> bool:
        if role and role not in four and not grant.is_ours:
            return False
        return not any(may(one, grant) for one in who.get(role) or (PUBLIC,))

    def may_by(way: _Way) -> list[str]:
        """What the member may by it, and should not."""
        if way.member not in four and four & {way.first, way.role}:
            return []  # it is a leak of that role
        if way.is_superuser:
            return ["anything"]
        if way.role in owners:
            return [f"all that {way.role} owns"]
        if way.role in _PREDEFINED:
            return [_PREDEFINED[way.role]]
        of_role = (g for g in rest if g.grantee == way.role)
        return [_said([g]) for g in of_role if is_wrong(way.member, g)]

    reached = {g.schema for g in grants if g.kind == "schema"}
    wrong: dict[tuple[str, str, str], list[Grant]] = defaultdict(list)
    for grant in grants:
        if grant.kind == "function" and not grant.grantee:
            # Everybody may execute any, where anybody gets into the schema.
            if grant.schema not in reached:
                continue
        if grant.grantee not in owners and is_wrong(grant.grantee, grant):
            wrong[grant.grantee, grant.ahead, grant.said].append(grant)
    found = [
        _direct(of_one, bool(who.get(role))) for (role, *_), of_one in wrong.items()
    ]
    known = {grant for of_one in wrong.values() for grant in of_one}
    rest = [grant for grant in grants if grant not in known and grant.grantee]
    rest.sort(key=lambda grant: grant.kind != "relation")
    consumers = {named[role] for role in CONSUMERS if role in named}
    for member, led_to in sorted(ways.items()):
        acts_as = {role for role, way in led_to.items() if way.acts_as}
        if member in owners or not (member in four or acts_as & consumers):
            continue
        by_step: dict[str, list[str]] = defaultdict(list)
        for way in led_to.values():
            by_step[way.first] += may_by(way)
        grantors = {way.first: way.grantors for way in led_to.values()}
        found += [
            _inherited(member, first, what, grantors[first])
            for first, what in by_step.items()
            if what
        ]
    return found


def _direct(grants: Sequence[Grant], has_role: bool) -> Leak:
    """A leak of what one grantee may do to one thing."""
    one = grants[0]
    message = f"{one.grantee or 'everybody'} may {_said(grants)}, which is not for it"
    if one.grantee and not has_role:
        message += ", as it is in none of the roles"
    what = ", ".join(
        f"{g.may} ({g.column_name})" if g.column_name else g.may for g in grants
    )
    grantee = _quoted(one.grantee) if one.grantee else PUBLIC
    revoke = f"{one.ahead}revoke {what} on {one.said} from {grantee}"
    return Leak(one.grantee or PUBLIC, _relation(one), f"{message}. Type: {revoke};")


def _inherited(
    member: str, first: str, what: Sequence[str], grantors: Iterable[str]
) -> Leak:
    """A leak of what a role may do as a member of another."""
    revoke = f"revoke {_quoted(first)} from {_quoted(member)} granted by"
    typed = " ".join(f"{revoke} {_quoted(grantor)};" for grantor in grantors)
    more = f" and {len(what) - 1:,} more" if len(what) > 1 else ""
    return Leak(
        member,
        first,
        f"{member} is a member of {first} and so may {what[0]}{more}, which is not "
        f"for it. Type: {typed}",
    )


_KINDS = {
    "schema": "schema ",
    "function": "function ",
    "sequence": "sequence ",
    "server": "foreign server ",
}


def _relation(grant: Grant) -> str:
    return ".".join(part for part in (grant.schema, grant.name) if part)


def _said(grants: Sequence[Grant]) -> str:
    """What rights to one thing are, in words."""
    one = grants[0]
    privileges = ", ".join(
        dict.fromkeys("use" if g.may == "usage" else g.may for g in grants)
    )
    if one.kind == "default":
        where = f" in schema {one.schema}" if one.schema else ""
        return f"{privileges} {one.name} that {one.owner} will make{where}"
    columns = ", ".join(dict.fromkeys(g.column_name for g in grants if g.column_name))
    shown = f"{privileges} {_KINDS.get(one.kind, '')}{_relation(one)}"
    return f"{shown} ({columns})" if columns else shown


def _quoted(name: str) -> str:
    if re.fullmatch("[a-z_][a-z0-9_]*", name):
        return name
    return '"' + name.replace('"', '""') + '"'
