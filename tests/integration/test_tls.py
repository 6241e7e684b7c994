"""Connections are encrypted where that is asked for, and refused where they aren't
to the server that was meant."""

import os
import shutil
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest import control, duck, settings
from ingest.errors import ServiceError, first_line
from ingest.seed import metadata
from ingest.sources import mysql
from sandbox import servers as embedded
from sandbox.servers import mariadb
from sandbox.servers.service import Stack
from tests.certificates import Authority
from tests.clone import Clone, link_mariadb, quiet
from tests.tls_proxy import tls_proxy

SHOP = next(t for t in metadata.load(settings.ROOT) if t.source.name == "shop")


@dataclass
class Certificates:
    """Paths of PEM files: the right authority, another one, and a client's pair."""

    ca: Path
    other_ca: Path
    client: tuple[Path, Path]
    server: tuple[Path, Path]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    ca, other = Authority(folder, "ca"), Authority(folder, "other")
    return Certificates(
        ca.certificate, other.certificate, ca.issue("client"), ca.issue("server")
    )


@pytest.fixture(scope="module")
def mysql_url(certificates: Certificates) -> Iterator[str]:
    """The reader's URL of a MariaDB that takes encrypted connections only."""
    with tempfile.TemporaryDirectory(prefix="seedbed-tests-") as folder:
        Path(folder).chmod(0o755)
        root = Path(folder) / "clone"
        root.mkdir()
        link_mariadb(root)
        stack = Stack(root)
        stack.prepare()
        server = mariadb.MariaDB(stack, quiet)
        server.prepare()
        options = []
        names = zip(
            ("cert", "key", "ca"), (*certificates.server, certificates.ca), strict=True
        )
        for name, path in names:
            copy = server.folder / path.name
            shutil.copy(path, copy)
            if account := server.runtime.account:
                os.chown(copy, account.pw_uid, account.pw_gid)
            options.append(f"--ssl-{name}={copy}")
        more = (*mariadb.SETTINGS, *options, "--require-secure-transport=on")
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(mariadb, "SETTINGS", more)
                env = embedded.up(root, quiet, ["mariadb"])
            yield env["SHOP_URL"]
        finally:
            embedded.down(root, quiet)


def by_runner() -> None:
    """Ask as the runner does."""
    with mysql.KIND.connect(SHOP.source) as session:
        _, cipher = session.one("show status like 'Ssl_cipher'")
        assert cipher


def by_engine(tmp_path: Path) -> None:
    """Read as DuckDB does."""
    with duck.engine(tmp_path) as engine:
        mysql.KIND.attach(engine, SHOP.source)
        status = "show status like ''Ssl_cipher''"
        rows = engine.execute(f"from mysql_query('source', '{status}')").fetchall()
        assert rows[0][1]


@pytest.mark.parametrize("mode", ["", "required", "verify_ca", "verify_identity"])
def test_a_source_is_read_encrypted(
    mysql_url: str,
    certificates: Certificates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
) -> None:
    query = f"?ssl_mode={mode}" if mode else ""
    if mode.startswith("verify"):
        query += f"&ssl_ca={certificates.ca}"
    monkeypatch.setenv("SHOP_URL", mysql_url + query)
    by_runner()
    by_engine(tmp_path)


def test_a_client_s_certificate_is_shown_to_the_source(
    mysql_url: str,
    certificates: Certificates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cert, key = certificates.client
    query = f"?ssl_ca={certificates.ca}&ssl_cert={cert}&ssl_key={key}"
    monkeypatch.setenv("SHOP_URL", mysql_url + query)
    by_runner()
    by_engine(tmp_path)


@pytest.mark.parametrize("mode", ["verify_ca", "verify_identity"])
def test_a_source_that_another_authority_signed_is_refused(
    mysql_url: str,
    certificates: Certificates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
) -> None:
    query = f"?ssl_mode={mode}&ssl_ca={certificates.other_ca}"
    monkeypatch.setenv("SHOP_URL", mysql_url + query)
    with pytest.raises(ServiceError, match="do not agree on TLS") as told:
        by_runner()
    assert "ssl_ca in SHOP_URL" in str(told.value)
    with pytest.raises(duck.duckdb.Error, match="certificate"):
        by_engine(tmp_path)


def test_a_source_of_another_name_is_refused(
    mysql_url: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = mysql_url.replace("127.0.0.1", "localhost")
    query = f"?ssl_mode=verify_identity&ssl_ca={certificates.ca}"
    monkeypatch.setenv("SHOP_URL", elsewhere + query)
    with pytest.raises(ServiceError, match="localhost"):
        by_runner()


def test_a_source_that_insists_refuses_what_is_not_encrypted(
    mysql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_URL", f"{mysql_url}?ssl_mode=disabled")
    with pytest.raises(ServiceError):
        by_runner()


def test_a_source_without_tls_is_refused_where_it_is_required(
    stack: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.start()
    monkeypatch.setenv("SHOP_URL", f"{stack.env['SHOP_URL']}?ssl_mode=required")
    with pytest.raises(ServiceError, match="do not agree on TLS"):
        by_runner()


@contextmanager
def encrypted_warehouse(
    stack: Clone, certificates: Certificates, *, with_client: bool = False
) -> Iterator[dict[str, str]]:
    """Variables of a Postgres that takes encrypted connections only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates.server)
    if with_client:
        context.load_verify_locations(certificates.ca)
        context.verify_mode = ssl.CERT_REQUIRED
    stack.start()
    with tls_proxy(int(stack.env["PGPORT"]), context) as port:
        yield {"PGPORT": str(port)}


def both_ways(engine_folder: Path) -> None:
    """Reach the warehouse as the runner and as DuckDB do."""
    with control.connect() as connection:
        assert connection.pgconn.ssl_in_use
    with duck.engine(engine_folder) as engine:
        duck.attach_warehouse(engine, settings.warehouse())
        rows = engine.execute("from postgres_query('warehouse', 'select 1')").fetchall()
        assert rows == [(1,)]


def test_the_warehouse_is_reached_encrypted_by_runner_engine_and_dbt(
    stack: Clone, certificates: Certificates, tmp_path: Path
) -> None:
    with encrypted_warehouse(stack, certificates) as place:
        env = {
            **place,
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(certificates.ca),
        }
        with stack.inside(**env):
            both_ways(tmp_path)
        done = stack.dbt("debug", "--connection", "--target", "postgres", **env)
        assert done.returncode == 0, done.stdout


def test_a_warehouse_that_another_authority_signed_is_refused(
    stack: Clone, certificates: Certificates, tmp_path: Path
) -> None:
    with encrypted_warehouse(stack, certificates) as place:
        env = {
            **place,
            "PGSSLMODE": "verify-ca",
            "PGSSLROOTCERT": str(certificates.other_ca),
        }
        with stack.inside(**env):
            with pytest.raises(ServiceError, match="certificate"):
                control.connect()
            with (
                duck.engine(tmp_path) as engine,
                pytest.raises(duck.duckdb.Error, match="certificate"),
            ):
                duck.attach_warehouse(engine, settings.warehouse())
        done = stack.dbt("debug", "--connection", "--target", "postgres", **env)
        assert done.returncode != 0
        assert "certificate" in done.stdout


def test_a_warehouse_refuses_what_is_not_encrypted(
    stack: Clone, certificates: Certificates
) -> None:
    with encrypted_warehouse(stack, certificates) as place:
        with stack.inside(**place, PGSSLMODE="disable"):
            with pytest.raises(ServiceError) as told:
                control.connect()
        assert "can't be reached" in first_line(told.value)


def test_a_client_s_certificate_is_shown_to_the_warehouse(
    stack: Clone, certificates: Certificates, tmp_path: Path
) -> None:
    cert, key = certificates.client
    with encrypted_warehouse(stack, certificates, with_client=True) as place:
        env = {
            **place,
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(certificates.ca),
        }
        with stack.inside(**env), pytest.raises(ServiceError):
            control.connect()
        with stack.inside(**env, PGSSLCERT=str(cert), PGSSLKEY=str(key)):
            both_ways(tmp_path)
