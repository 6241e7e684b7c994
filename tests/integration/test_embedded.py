"""The embedded servers, for real: kept data, kills, faults, and foreign folders."""

import contextlib
import http.client
import itertools
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import psycopg
import pymysql
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from ingest.errors import ConfigurationError, ServiceError
from sandbox import servers as embedded
from sandbox.servers import process
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.service import HOST, Stack, answers
from sandbox.servers.store import Store

REPOSITORY = Path(__file__).parents[2]


def quiet(line: str) -> None:
    """A report nobody reads."""


def new_root(parent: Path) -> Path:
    """A root with MariaDB unpacked already, when this clone has it unpacked."""
    root = parent / "a clone"
    unpacked = REPOSITORY / ".seedbed" / "mariadb" / "root"
    if unpacked.exists():
        target = root / ".seedbed" / "mariadb" / "root"
        shutil.copytree(unpacked, target, symlinks=True)
    root.mkdir(exist_ok=True)
    return root


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A root that everybody may enter, shared by the tests of this file."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        root = new_root(Path(folder))
        yield root
        embedded.down(root, quiet)


@pytest.fixture
def own_root(tmp_path: Path) -> Iterator[Path]:
    """A root of one test, in a folder that only its owner may enter."""
    tmp_path.chmod(0o700)
    root = new_root(tmp_path)
    yield root
    embedded.down(root, quiet)


def mysql(url: str) -> "pymysql.connections.Connection[pymysql.cursors.Cursor]":
    """A connection over TCP to a mysql:// URL."""
    at = urlsplit(url)
    return pymysql.connect(
        host=at.hostname,
        port=at.port or 0,
        user=at.username,
        password=at.password or "",
        database=at.path[1:],
        autocommit=True,
    )


def postgres(env: dict[str, str]) -> psycopg.Connection:
    """A connection to the warehouse that the variables name."""
    return psycopg.connect(
        host=env["PGHOST"],
        port=env["PGPORT"],
        user=env["PGUSER"],
        password=env["PGPASSWORD"],
        dbname=env["PGDATABASE"],
    )


def lake(env: dict[str, str], key: str = "", secret: str = "", **config: Any) -> Any:
    """A client of the store: its owner's, or that of other keys."""
    return boto3.client(
        "s3",
        endpoint_url=env["AWS_ENDPOINT_URL_S3"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=key or env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret or env["AWS_SECRET_ACCESS_KEY"],
        config=Config(proxies={}, **config),
    )


def lake_object(env: dict[str, str], key: str) -> bytes:
    """The bytes of one object of the lake."""
    body: bytes = lake(env).get_object(Bucket="lake", Key=key)["Body"].read()
    return body


def pids(root: Path) -> dict[str, int]:
    """The pid of each running server."""
    return {s.name: s.pid for s in embedded.status(root) if s.pid}


def test_what_was_written_outlives_a_sigkill_of_every_server(root: Path) -> None:
    env = embedded.up(root, quiet)
    with postgres(env) as warehouse:
        warehouse.execute("create schema if not exists own")
        warehouse.execute("create table if not exists own.kept (i int)")
        warehouse.execute("insert into own.kept select generate_series(1, 1000)")
    with mysql(embedded.admin_url(root)) as writer:
        writer.cursor().execute("create table if not exists kept (i int)")
        writer.cursor().execute("insert into kept values (1), (2), (3)")
    large = os.urandom(1000) * 20_000  # in several pieces
    lake(env).put_object(Bucket="lake", Key="raw/a file.bin", Body=large)

    killed = pids(root)
    assert set(killed) == {"postgres", "mariadb", "s3"}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    assert embedded.environment(root) == {}

    lines: list[str] = []
    env = embedded.up(root, lines.append)
    assert sum("was not stopped by ./seedbed down" in line for line in lines) == 3
    with postgres(env) as warehouse:
        row = warehouse.execute("select count(*), sum(i) from own.kept").fetchone()
    assert row == (1000, 500500)
    with mysql(env["SHOP_URL"]).cursor() as cursor:
        cursor.execute("select count(*), sum(i) from kept")
        assert cursor.fetchone() == (3, 6)
    assert lake_object(env, "raw/a file.bin") == large


def refusal(call: Callable[..., Any], **arguments: Any) -> str:
    """The code with which the store refuses a call; nothing if it does it."""
    try:
        call(Bucket="lake", **arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_the_store_asks_for_a_key_and_a_reader_s_only_reads(root: Path) -> None:
    env = embedded.up(root, quiet, ["s3"])
    owner = lake(env)
    owner.put_object(Bucket="lake", Key="raw/rows", Body=b"rows")
    kept = Store(Stack(root)).state()
    reader = lake(env, kept["reader_access_key"], kept["reader_secret_key"])
    strangers = {
        "nobody": lake(env, signature_version=UNSIGNED),
        "another's key": lake(env, "x", "x"),
        "another's secret": lake(env, env["AWS_ACCESS_KEY_ID"], "x"),
    }
    for who, client in strangers.items():
        for call, more in (
            (client.list_objects_v2, {}),
            (client.get_object, {"Key": "raw/rows"}),
            (client.put_object, {"Key": "raw/rows", "Body": b"other"}),
            (client.delete_object, {"Key": "raw/rows"}),
            (client.get_bucket_versioning, {}),
        ):
            assert refusal(call, **more), (who, call.__name__)
    assert refusal(reader.list_objects_v2) == ""
    assert refusal(reader.get_object, Key="raw/rows") == ""
    on = {"VersioningConfiguration": {"Status": "Enabled"}}
    changes: list[tuple[str, dict[str, Any]]] = [
        ("put_object", {"Key": "raw/rows", "Body": b"other"}),
        ("delete_object", {"Key": "raw/rows"}),
        ("put_bucket_versioning", on),
        ("delete_bucket", {}),
    ]
    for name, more in changes:
        assert refusal(getattr(reader, name), **more) == "AccessDenied", name
    assert lake_object(env, "raw/rows") == b"rows"
    # The owner's keys are for the one bucket; another is made by nobody.
    with pytest.raises(ClientError, match="AccessDenied"):
        owner.create_bucket(Bucket="misspelt")
    with pytest.raises(ClientError):
        owner.put_object(Bucket="misspelt", Key="k", Body=b"")


def test_the_store_keeps_versions_rules_and_what_is_encrypted(root: Path) -> None:
    env = embedded.up(root, quiet, ["s3"])
    owner = lake(env)
    on = {"Status": "Enabled"}
    owner.put_bucket_versioning(Bucket="lake", VersioningConfiguration=on)
    rule = {
        "ID": "seedbed /",
        "Status": "Enabled",
        "Filter": {"Prefix": "raw/"},
        "Expiration": {"Days": 30},
    }
    owner.put_bucket_lifecycle_configuration(
        Bucket="lake", LifecycleConfiguration={"Rules": [rule]}
    )
    new = {"Bucket": "lake", "Key": "twice", "ServerSideEncryption": "AES256"}
    owner.put_object(**new, Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        owner.put_object(**new, Body=b"second", IfNoneMatch="*")
    owner.put_object(**new, Body=b"third")
    os.kill(pids(root)["s3"], signal.SIGKILL)
    time.sleep(0.2)
    owner = lake(env := embedded.up(root, quiet, ["s3"]))
    found = owner.list_object_versions(Bucket="lake", Prefix="twice")["Versions"]
    bodies = [
        owner.get_object(Bucket="lake", Key="twice", VersionId=v["VersionId"])
        for v in found
    ]
    assert {b["Body"].read() for b in bodies} == {b"first", b"third"}
    assert {b["ServerSideEncryption"] for b in bodies} == {"AES256"}
    rules = owner.get_bucket_lifecycle_configuration(Bucket="lake")["Rules"]
    assert [(r["ID"], r["Expiration"]) for r in rules] == [
        (rule["ID"], rule["Expiration"])
    ]


def listening(pid: int) -> set[int]:
    """The TCP ports of this machine's loopback that a process listens on.

    AssertionError if it listens where other machines reach it.
    """
    sockets = set()
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            sockets.add(os.readlink(f"/proc/{pid}/fd/{number}"))
    ports = set()
    for kind in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in sockets:
                host, _, port = local.partition(":")
                assert host == "0100007F", f"{local}, which is not the loopback"
                ports.add(int(port, 16))
    return ports


def all_of(number: int, pid: int) -> set[int]:
    """Those ports when there are so many: a server's parts don't start at once."""
    deadline = time.monotonic() + 30
    while len(ports := listening(pid)) < number and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(ports) == number
    return ports


def test_no_other_port_of_the_store_gives_or_takes_anything(root: Path) -> None:
    env = embedded.up(root, quiet, ["s3"])
    lake(env).put_object(Bucket="lake", Key="raw/rows", Body=b"rows of people")
    ports = all_of(10, pids(root)["s3"])
    assert urlsplit(env["AWS_ENDPOINT_URL_S3"]).port in ports
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    paths = (
        *("/", "/buckets/lake/raw/rows", "/lake/raw/rows", "/buckets/lake/?pretty=y"),
        *("/dir/assign", "/dir/status", "/dir/lookup?volumeId=1", "/vol/grow"),
        *("/1,01637037d6", "/stats/disk", "/metrics", "/ui/index.html", "/login"),
        *("/.tus/buckets/lake/x", "/api/s3/buckets", "/debug/pprof/"),
    )
    said = []
    for port in ports:
        with contextlib.suppress(OSError):  # those of gRPC: the certificate is asked
            with anyone.wrap_socket(socket.create_connection((HOST, port), 5)) as tls:
                tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 9)
                assert not tls.recv(100), f"port {port} talks to whoever comes"
        for path, method in itertools.product(paths, ("GET", "POST", "DELETE")):
            line = http.client.HTTPConnection(HOST, port, timeout=5)
            line.request(method, path, headers={"Tus-Resumable": "1.0.0"})
            try:
                said.append((line.getresponse().status, port, method, path))
            except (OSError, http.client.HTTPException):
                continue  # it is no HTTP
    served = [a for a in said if a[0] not in (400, 401, 403, 404, 405)]
    assert {status for status, *_ in said} >= {400, 401, 403}
    assert served == []
    for part, number in Store(Stack(root)).state()["inner_ports"].items():
        path = Path(f"/tmp/seaweedfs-{part}-grpc-{number + 10_000}.sock")
        assert path.stat().st_mode & 0o077 == 0, "others may not connect to it"
    embedded.down(root, quiet)
    assert not [*Path("/tmp").glob(f"seaweedfs-*-grpc-{number + 10_000}.sock")]


def test_a_lake_of_a_store_that_kept_it_in_memory_is_taken_over(own_root: Path) -> None:
    home = own_root / ".seedbed"
    files = {"raw/a/part-0.parquet": b"rows", "raw/a/_manifest.json": b"{}"}
    for key, content in files.items():
        (home / "lake" / key).parent.mkdir(parents=True, exist_ok=True)
        (home / "lake" / key).write_bytes(content)
    (home / "lake" / "raw" / "a" / "part-1.draft").write_bytes(b"half of")
    stack = Stack(own_root)
    stack.prepare()
    old = {"access_key": "old", "secret_key": "old", "passwords_set": True}
    # Such a store may still run while its successor is installed.
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    (home / "s3").mkdir()
    server = [sys.executable, "-m", "http.server", "-b", HOST, str(port)]
    memory = process.Runtime(home / "s3", as_caller=True).spawn(
        server, home / "run" / "s3.pid", home / "log" / "s3.log"
    )
    while not answers(port):
        time.sleep(0.02)
    stack.update("s3", port=port, up=True, version="moto 5.2.5", **old)
    lines: list[str] = []
    env = embedded.up(own_root, lines.append, ["s3"])
    assert memory.poll() is not None
    assert any("runs as moto 5.2.5" in line for line in lines)
    assert any("2 files" in line for line in lines)
    for key, content in files.items():
        assert lake_object(env, key) == content
    found = lake(env).list_objects_v2(Bucket="lake")["Contents"]
    assert {entry["Key"] for entry in found} == files.keys()
    assert not any((home / "lake").iterdir())
    # What is local later is the cache of a run, which a start leaves alone.
    (home / "lake" / "later").write_bytes(b"")
    embedded.down(own_root, quiet)
    embedded.up(own_root, quiet, ["s3"])
    assert (home / "lake" / "later").exists()


def test_the_log_of_a_server_that_runs_does_not_grow_for_ever(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded.up(root, quiet)
    logs = root / ".seedbed" / "log"
    monkeypatch.setattr(process, "LARGEST_LOG", 1)
    before = {n: (logs / f"{n}.log").read_bytes() for n in embedded.SERVICES}
    embedded.up(root, quiet)
    for name, text in before.items():
        assert (logs / f"{name}.log.1").read_bytes().startswith(text)
        assert (logs / f"{name}.log").stat().st_size < len(text)
    began = time.monotonic()
    embedded.down(root, quiet)
    assert time.monotonic() - began < 10
    assert b"shut" in (logs / "postgres.log").read_bytes()


def test_up_twice_starts_nothing_and_says_nothing(root: Path) -> None:
    first = embedded.up(root, quiet)
    before = pids(root)
    lines: list[str] = []
    assert embedded.up(root, lines.append) == first
    assert (lines, pids(root)) == ([], before)


def test_two_calls_of_up_at_once_start_one_stack(root: Path) -> None:
    embedded.down(root, quiet)
    call = (
        "import sys, pathlib; from sandbox import servers; "
        "print(servers.up(pathlib.Path(sys.argv[1]), lambda line: None))"
    )
    command = [sys.executable, "-c", call, str(root)]
    calls = [
        subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    # Reading to the end also proves that no server holds the caller's pipe open.
    answers = [call.communicate(timeout=30)[0] for call in calls]
    assert answers[0] == answers[1]
    assert b"PGPASSWORD" in answers[0]
    assert len(pids(root)) == 3, "the servers outlive the processes that started them"


def test_down_leaves_no_process(root: Path) -> None:
    embedded.up(root, quiet)
    embedded.down(root, quiet)
    assert pids(root) == {}
    left = [
        pid
        for pid in filter(str.isdigit, os.listdir("/proc"))
        if str(root).encode() in command_line(pid)
    ]
    assert left == []
    assert embedded.environment(root) == {}


def test_a_server_that_is_told_to_stop_while_it_starts_stops(root: Path) -> None:
    # MariaDB hangs after a signal between listening and being ready; that moment
    # is long enough for one of a few attempts to meet it.
    embedded.up(root, quiet, ["mariadb"])
    embedded.down(root, quiet)
    server = MariaDB(Stack(root))
    for _ in range(4):
        server.prepare()
        argv, environment = server.command(port := server.state()["port"])
        server.runtime.spawn(argv, server.pid_file, server.log, **environment)
        while not answers(port):
            time.sleep(0.001)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 10


def command_line(pid: str) -> bytes:
    """What /proc tells; nothing for a process that just ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_port_is_kept_while_free_and_given_up_when_taken(root: Path) -> None:
    port = embedded.up(root, quiet, ["postgres"])["PGPORT"]
    embedded.down(root, quiet)
    assert embedded.up(root, quiet, ["postgres"])["PGPORT"] == port
    embedded.down(root, quiet)
    with socket.create_server(("127.0.0.1", int(port))):
        env = embedded.up(root, quiet, ["postgres"])
        assert env["PGPORT"] != port
        with postgres(env) as warehouse:
            assert warehouse.execute("select 1").fetchone() == (1,)
    embedded.down(root, quiet)


def test_a_fault_in_the_configuration_is_reported_with_the_end_of_the_log(
    root: Path,
) -> None:
    embedded.up(root, quiet, ["postgres"])
    embedded.down(root, quiet)
    config = root / ".seedbed" / "postgres" / "data" / "postgresql.conf"
    sound = config.read_bytes()
    config.write_bytes(sound + b"\nno_such_setting = 1\n")
    with pytest.raises(ServiceError) as caught:
        embedded.up(root, quiet, ["postgres"])
    config.write_bytes(sound)
    assert 'unrecognized configuration parameter "no_such_setting"' in str(caught.value)
    assert "./seedbed up" in str(caught.value)
    assert embedded.up(root, quiet, ["postgres"])


def test_one_failing_server_leaves_the_others_up(root: Path) -> None:
    embedded.up(root, quiet)
    embedded.down(root, quiet)
    control = root / ".seedbed" / "mariadb" / "data" / "ibdata1"
    sound = control.read_bytes()
    control.write_bytes(b"not a tablespace")
    with pytest.raises(ServiceError, match="MariaDB ended while it started"):
        embedded.up(root, quiet)
    assert {"PGPORT", "AWS_ENDPOINT_URL_S3"} <= set(embedded.environment(root))
    control.write_bytes(sound)
    assert "SHOP_URL" in embedded.up(root, quiet)


def test_a_pid_that_now_belongs_to_a_stranger_is_left_alone(root: Path) -> None:
    embedded.up(root, quiet, ["s3"])
    pid_file = root / ".seedbed" / "run" / "s3.pid"
    ours = pid_file.read_text()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        pid_file.write_text(f"{stranger.pid} {ours.partition(' ')[2]}")
        assert "s3" not in pids(root)
        embedded.down(root, quiet)
        assert stranger.poll() is None
        stranger.kill()
    pid_file.write_text(ours)
    embedded.down(root, quiet)
    assert pids(root) == {}


def test_a_lock_file_that_names_a_stranger_does_not_stop_postgres(root: Path) -> None:
    embedded.up(root, quiet, ["postgres"])
    data = root / ".seedbed" / "postgres" / "data"
    lines = (data / "postmaster.pid").read_text().splitlines()
    embedded.down(root, quiet)
    command = ["sleep", "60"]
    if os.geteuid() == 0:  # Postgres fears only processes of its own account
        ids = [f"--reuid={data.stat().st_uid}", f"--regid={data.stat().st_gid}"]
        command = ["setpriv", *ids, "--clear-groups", *command]
    with subprocess.Popen(command, cwd="/") as stranger:
        time.sleep(0.2)
        text = "\n".join([str(stranger.pid), *lines[1:]])
        (data / "postmaster.pid").write_text(text)
        assert "PGPORT" in embedded.up(root, quiet, ["postgres"])
        stranger.kill()


def test_lost_passwords_are_replaced_and_the_data_stays(root: Path) -> None:
    old = embedded.up(root, quiet)
    with postgres(old) as warehouse:
        warehouse.execute("create schema if not exists own")
        warehouse.execute("create table if not exists own.still_here ()")
    embedded.down(root, quiet)
    (root / ".seedbed" / "stack.json").unlink()
    new = embedded.up(root, quiet)
    assert new["PGPASSWORD"] != old["PGPASSWORD"]
    with postgres(new) as warehouse:
        assert warehouse.execute("select count(*) from own.still_here").fetchone() == (
            0,
        )
    with mysql(new["CRM_URL"]).cursor() as cursor:
        assert cursor.execute("select 1") == 1
    with pytest.raises(psycopg.OperationalError, match="password authentication"):
        postgres(new | {"PGPASSWORD": old["PGPASSWORD"]})


def test_the_reader_can_not_write_and_the_warehouse_role_is_no_superuser(
    root: Path,
) -> None:
    env = embedded.up(root, quiet)
    with mysql(embedded.admin_url(root)) as writer:
        writer.cursor().execute("create table if not exists guarded (i int)")
    with mysql(env["SHOP_URL"]) as reader, reader.cursor() as cursor:
        with pytest.raises(pymysql.OperationalError):
            cursor.execute("insert into guarded values (1)")
        cursor.execute("show grants")
        grants = " ".join(row[0].split(" TO ")[0] for row in cursor.fetchall())
    assert set(re.findall(r"GRANT (.*?) ON (\S+)", grants)) == {
        ("USAGE", "*.*"),
        ("SELECT", "`shop`.*"),
        ("SELECT", "`crm`.*"),
    }
    with postgres(env) as warehouse:
        row = warehouse.execute(
            # It makes the consumers' roles, which no other right lets it do.
            "select rolsuper or rolcreatedb or rolreplication or rolbypassrls,"
            " rolcreaterole, pg_catalog.pg_get_userbyid(datdba)"
            " from pg_roles, pg_database where rolname = current_user"
            " and datname = current_database()"
        ).fetchone()
        assert row == (False, True, "postgres")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            warehouse.execute("create table public.guarded (i int)")


def test_secrets_are_in_no_log_no_command_line_and_no_open_file(root: Path) -> None:
    env = embedded.up(root, quiet)
    home = root / ".seedbed"
    secrets = [
        env["PGPASSWORD"],
        env["AWS_SECRET_ACCESS_KEY"],
        Store(Stack(root)).state()["reader_secret_key"],
        urlsplit(env["SHOP_URL"]).password,
        urlsplit(embedded.admin_url(root)).password,
    ]
    seen = b"".join(path.read_bytes() for path in (home / "log").iterdir())
    seen += b"".join(command_line(pid) for pid in os.listdir("/proc") if pid.isdigit())
    assert [s for s in secrets if s and s.encode() in seen] == []
    assert (home / "stack.json").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o066 == 0


def test_a_folder_that_only_its_owner_may_enter_works(own_root: Path) -> None:
    env = embedded.up(own_root, quiet)
    with postgres(env) as warehouse:
        assert warehouse.execute("select 1").fetchone() == (1,)
    with mysql(env["SHOP_URL"]).cursor() as cursor:
        assert cursor.execute("select 1") == 1
    for server in embedded.status(own_root):
        if server.name in embedded.SERVICES:
            assert server.pid
            assert os.stat(f"/proc/{server.pid}").st_uid != 0, "no server as root"
    embedded.down(own_root, quiet)
    assert pids(own_root) == {}


def test_doctor_finds_a_dead_server_and_no_fault_with_living_ones(root: Path) -> None:
    embedded.up(root, quiet)
    assert [f for f in embedded.doctor(root) if not f.ok] == []
    os.kill(pids(root)["s3"], signal.SIGKILL)
    time.sleep(0.2)
    faults = [f for f in embedded.doctor(root) if not f.ok]
    assert [(f.what.startswith("the S3 store died"), f.fix) for f in faults] == [
        (True, "./seedbed up")
    ]
    embedded.up(root, quiet)


def test_without_mariadb_and_apt_the_error_names_the_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A PATH with the tools that start servers, but neither apt nor MariaDB.
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "cat", "env", "mkdir", "rm", "setpriv", "unshare", "mount"):
        if found := shutil.which(tool):
            (tools / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr("sandbox.servers.mariadb._SYSTEM_FOLDERS", str(tools))
    root = tmp_path / "clone"
    root.mkdir()
    with pytest.raises(ServiceError) as caught:
        embedded.up(root, quiet, ["mariadb"])
    for way_out in ("docker compose up mysql", "SHOP_URL", "install mariadb-server"):
        assert way_out in str(caught.value)
    assert any(not f.ok and "MariaDB" in f.what for f in embedded.doctor(root))


def test_an_unknown_service_is_a_wrong_usage(root: Path) -> None:
    with pytest.raises(ConfigurationError, match="postgres, mariadb, s3"):
        embedded.up(root, quiet, ["oracle"])
