"""Rights: what anybody but the owner may do in the database, and what closes it.

Read from the catalogue, whoever granted it: tables, views, materialized views, foreign
tables, sequences, columns, schemas, functions with their owner's rights, foreign
servers, what is granted in advance, and memberships of roles.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field

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
    column: str
    may: str
    grantee: str
    owner: str
    said: str
    ahead: str
    is_ours: bool


@dataclass(frozen=True)
class Leak:
    """What a role may do and should not: to what, and what to type."""

    role: str
    relation: str
    message: str


@dataclass
class Rights:
    """What is granted in the database, and who is a member of what."""

    owners: frozenset[str]  # of the log and the control tables: who runs it all
    grants: list[Grant]
    # By role: the roles that it leads to, and by which first step.
    ways: dict[str, dict[str, str]] = field(default_factory=dict)
    # By role: those that it acts as without being asked.
    inherits: dict[str, set[str]] = field(default_factory=dict)
    superusers: set[str] = field(default_factory=set)
    # By role and first step, by whom it was granted.
    given: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def who(self, named: Mapping[str, str]) -> dict[str, frozenset[str]]:
        """By role, which of the four it is or may become; `named` has their names.

        The four themselves are to become no other.
        """
        who = {
            role: frozenset(one for one, name in named.items() if name in ways)
            for role, ways in self.ways.items()
        }
        return who | {name: frozenset({one}) for one, name in named.items()}


def read(
    connection: Connection, schemas: Iterable[str], named: Collection[str]
) -> Rights:
    """Read all rights; `schemas` are the environments', `named` the four roles."""
    found = _SQL.run(connection, "grants", schemas=[*schemas])
    owners = _SQL.run(connection, "owners")
    rights = Rights(
        frozenset(name for (name,) in owners), [Grant(*row) for row in found]
    )
    ways = _SQL.run(connection, "memberships", named=[*named])
    for member, first, role, acts_as, is_super in ways:
        rights.ways.setdefault(member, {}).setdefault(role, first)
        if acts_as:
            rights.inherits.setdefault(member, set()).add(role)
        if is_super:
            rights.superusers.add(role)
    for member, role, grantor in _SQL.run(connection, "grantors"):
        rights.given.setdefault((member, role), []).append(grantor)
    return rights


def leaks(
    rights: Rights, named: Mapping[str, str], may: Callable[[str, Grant], bool]
) -> list[Leak]:
    """What is granted that should not be, a leak for each thing and grantee.

    `named` are the four roles' names; `may` says whether one of them, or `public`,
    should have a right. The roles and everybody are asked about all schemas, others
    about what is ours.
    """
    four = {*named.values()}
    who = rights.who(named)

    def is_wrong(role: str, grant: Grant) -> bool:
        if role not in four and role and not grant.is_ours:
            return False
        return not any(may(one, grant) for one in who.get(role, ()) or (PUBLIC,))

    reached = {g.schema for g in rights.grants if g.kind == "schema"}
    wrong: dict[tuple[str, str, str], list[Grant]] = defaultdict(list)
    for grant in rights.grants:
        if grant.grantee in rights.owners:
            continue
        if not grant.grantee and grant.kind == "function":
            # Everybody may execute any, where anybody gets into the schema.
            if grant.schema not in reached:
                continue
        if is_wrong(grant.grantee, grant):
            wrong[grant.grantee, grant.ahead, grant.said].append(grant)
    found = [_direct(grants, who) for grants in wrong.values()]
    known = {g for grants in wrong.values() for g in grants}
    rest = [g for g in rights.grants if g not in known and g.grantee]
    rest.sort(key=lambda g: g.kind != "relation")
    for role in sorted(rights.ways):
        acts_as = rights.inherits.get(role, set())
        consumers = {named[r] for r in CONSUMERS if r in named}
        if role in rights.owners or not (role in four or acts_as & consumers):
            continue
        found += _inherited(role, rights, rest, four, is_wrong)
    return found


def _direct(grants: Sequence[Grant], who: Mapping[str, frozenset[str]]) -> Leak:
    one = grants[0]
    role = one.grantee or "everybody"
    message = f"{role} may {_said(grants)}, which is not for it"
    if one.grantee and not who.get(one.grantee):
        message += ", as it is in none of the roles"
    return Leak(
        one.grantee or PUBLIC,
        _relation(one),
        f"{message}. Type: {_revoke(grants)};",
    )


def _inherited(
    role: str,
    rights: Rights,
    grants: Sequence[Grant],
    four: set[str],
    is_wrong: Callable[[str, Grant], bool],
) -> Iterator[Leak]:
    """The memberships by which a role may what it should not."""
    by_step: dict[str, list[str]] = defaultdict(list)
    for other, first in rights.ways[role].items():
        if role not in four and four & {first, other}:
            continue  # it is a leak of that role
        if other in rights.superusers:
            by_step[first].append("anything")
        elif other in rights.owners:
            by_step[first].append(f"all that {other} owns")
        elif other in _PREDEFINED:
            by_step[first].append(_PREDEFINED[other])
        else:
            by_step[first] += [
                _said([g]) for g in grants if g.grantee == other and is_wrong(role, g)
            ]
    for first, what in by_step.items():
        if not what:
            continue
        revoked = f"revoke {_quoted(first)} from {_quoted(role)} granted by"
        typed = " ".join(f"{revoked} {_quoted(g)};" for g in rights.given[role, first])
        more = f" and {len(what) - 1:,} more" if len(what) > 1 else ""
        yield Leak(
            role,
            first,
            f"{role} is a member of {first} and so may {what[0]}{more}, which is not "
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
    one = grants[0]
    privileges = ", ".join(
        dict.fromkeys("use" if g.may == "usage" else g.may for g in grants)
    )
    if one.kind == "default":
        where = f" in schema {one.schema}" if one.schema else ""
        return f"{privileges} {one.name} that {one.owner} will make{where}"
    columns = ", ".join(dict.fromkeys(g.column for g in grants if g.column))
    shown = f"{privileges} {_KINDS.get(one.kind, '')}{_relation(one)}"
    return f"{shown} ({columns})" if columns else shown


def _revoke(grants: Sequence[Grant]) -> str:
    """The statement that takes rights to one thing from one grantee."""
    one = grants[0]
    what = ", ".join(f"{g.may} ({g.column})" if g.column else g.may for g in grants)
    grantee = _quoted(one.grantee) if one.grantee else PUBLIC
    return f"{one.ahead}revoke {what} on {one.said} from {grantee}"


def _quoted(name: str) -> str:
    if re.fullmatch("[a-z_][a-z0-9_]*", name):
        return name
    return '"' + name.replace('"', '""') + '"'
