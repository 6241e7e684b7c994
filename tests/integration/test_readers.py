"""The user that reads a source: its password, and what it may see."""

from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from ingest import duck
from ingest.errors import ServiceError
from ingest.seed.discover import judge
from ingest.seed.metadata import Source
from ingest.sources.mysql import KIND
from tests.foreign import Foreign

pytestmark = pytest.mark.lean

PASSWORDS = (
    "pässword",
    "p€ss",
    "日本😀",
    'it\'s \\ "q"; drop',
    "a%41b#c@d/e:f?g&h=i",
    " blanks ",
    "tab\tline\n",
    "\\'",
    "\x7f\x01",
)
USER = "column_reader"


def reader(foreign: Foreign, schema: str, password: str, *grants: str) -> None:
    """Let a user of that password, with those rights, read the schema."""
    url = urlsplit(foreign.server)
    with foreign.asking() as cursor:
        cursor.execute(f"drop user if exists {USER}@'%'")
        cursor.execute(f"create user {USER}@'%%' identified by %s", (password,))
        for grant in grants:
            cursor.execute(f"grant {grant} to {USER}@'%'")
    foreign.env[f"{schema.upper()}_URL"] = (
        f"mysql://{USER}:{quote(password, safe='')}@{url.hostname}:{url.port}/{schema}"
    )


def test_a_password_may_have_any_character(foreign: Foreign, tmp_path: Path) -> None:
    schema = "reader_words"
    foreign.create(schema, "create table t (id int primary key)")
    source = Source(schema, "mysql", f"{schema.upper()}_URL", schema, "UTC", "", "")
    for password in PASSWORDS:
        reader(foreign, schema, password, f"select on `{schema}`.*")
        with foreign.inside():
            assert list(KIND.catalogue(source)) == ["t"], password
            with duck.engine(tmp_path) as engine:
                KIND.attach(engine, source)
                assert engine.execute(f"from source.{schema}.t").fetchall() == []
        reader(foreign, schema, password + "x", f"select on `{schema}`.*")
        foreign.env[source.url_env] = foreign.env[source.url_env].replace("x@", "@")
        with foreign.inside(), pytest.raises(ServiceError) as caught:
            KIND.catalogue(source)
        assert "percent-encoded: %40 for @" in str(caught.value)
    reader(foreign, schema, "p€ss", f"select on `{schema}`.*")
    foreign.discover(schema)
    assert foreign.run(with_build=False).state == "done"


def test_columns_that_a_star_leaves_out_or_nobody_may_read_stop_nothing(
    foreign: Foreign,
) -> None:
    schema = "reader_columns"
    changed = "updated_at datetime not null"
    foreign.create(
        schema,
        "create table hidden (id int primary key, secret int invisible, g varchar(50) "
        f"as (concat('g', id)) virtual invisible, flag tinyint(1), {changed})",
        "insert into hidden (id, secret, flag, updated_at) values "
        "(1, 5, 0, '2026-11-01'), (2, 6, 1, '2026-11-02')",
        "create table granted (id int primary key, name varchar(40), salary int, "
        f"note text, kind tinyint(1), {changed})",
        "insert into granted values (1, 'Ada', 9, 'x', 7, '2026-11-01')",
        "create table closed (id int primary key)",
        f"create table keyless (id int primary key, v int, {changed})",
        "insert into keyless values (1, 2, '2026-11-01')",
    )
    reader(
        foreign,
        schema,
        "secret",
        f"select on {schema}.hidden",
        f"select (id, name, kind, updated_at) on {schema}.granted",
        f"select (v, updated_at) on {schema}.keyless",
    )
    found = {p.table.name: p for p in foreign.discover(schema).proposals}
    assert {*found} == {"hidden", "granted", "keyless"}
    told = {name: " ".join(p.warnings) for name, p in found.items()}
    assert "in the future" not in "".join(told.values())
    assert "looked at" not in "".join(told.values())
    assert found["hidden"].choice.watermark == "updated_at"
    assert found["granted"].choice.watermark == "updated_at"
    assert found["keyless"].choice.load_type == "full"
    kinds = {(r["table"], r["column"]): r["data_type"] for r in foreign.rows("columns")}
    assert kinds["granted", "kind"] == "integer", "by a look"
    assert kinds["hidden", "flag"] == "boolean"
    assert ("granted", "salary") not in kinds
    for _ in range(2):
        result = foreign.run()
        assert (result.state, result.balanced) == ("done", True)
        assert [(r["id"], r["secret"], r["g"]) for r in foreign.silver("hidden")] == [
            (1, 5, "g1"),
            (2, 6, "g2"),
        ]
        (row,) = foreign.silver("granted")
        assert (row["name"], row["kind"]) == ("Ada", 7)
        assert len(foreign.silver("keyless")) == 1


def test_a_look_that_fails_says_so_and_why(
    foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = "reader_failed"
    foreign.create(
        schema,
        "create table t (id int primary key, code int unique, flag tinyint(1), "
        "updated_at datetime not null, occurred_at datetime not null)",
    )
    monkeypatch.setattr(judge, "LOOKED_AT", "none_such")
    (proposal,) = foreign.discover(schema).proposals
    told = " ".join(proposal.warnings)
    assert "its rows could not be looked at" in told
    assert "none_such" in told, "why"
    assert "updated_at could not be looked at: no watermark" in told
    assert "in the future" not in told
    assert proposal.choice.load_type == "full"


def test_long_texts_are_looked_at_apart_from_clocks_and_short_ones(
    foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = "reader_texts"
    rows = ", ".join(f"({n}, 'ada{n}@example.com', 'x')" for n in range(20))
    foreign.create(
        schema,
        "create table t (id int primary key, who varchar(40), body text)",
        f"insert into t values {rows}",
        # Each of its long texts takes its time.
        "create view slow as select id, who, cast('2026-11-01' as datetime) as at_, "
        "concat(body, sleep(0.2), repeat('x', 99999)) as body from t",
    )
    monkeypatch.setattr(judge, "VIEW_SECONDS", 1)
    found = {p.table.name: p for p in foreign.discover(schema).proposals}
    told = " ".join(found["slow"].warnings)
    assert "rows could not be looked at" not in told
    pii = {(r["table"], r["column"]): r["pii"] for r in foreign.rows("columns")}
    assert pii["slow", "who"] == "email", "by a sample of the short ones"
