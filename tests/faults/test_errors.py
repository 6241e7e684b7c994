"""A fault outside is reported as one error with its hint; the next run goes on."""

import re
import socket
import subprocess

import pytest

from sandbox import servers as embedded
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.service import Stack
from tests.clone import Clone, quiet
from tests.faults.oracle import assert_heals

pytestmark = pytest.mark.lean
WRONG = "wr0ng-pass-phrase"


@pytest.fixture
def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(clone: Clone, *tables: str, **env: str) -> subprocess.CompletedProcess[str]:
    """`./seedbed run` with every server named, as in a user's own set-up.

    It tries nothing twice, so that what fails fails soon.
    """
    env = {"SEEDBED_RETRY_SECONDS": "0"} | env
    names = [word for table in tables for word in ("--tables", table)]
    return clone.cli("run", *names, **clone.env | env)


def assert_told(
    clone: Clone,
    done: subprocess.CompletedProcess[str],
    code: int,
    *words: str,
    secrets: tuple[str, ...] = (),
) -> None:
    """The exit code, one error and its hint, no traceback or password anywhere."""
    told = done.stdout + done.stderr
    assert done.returncode == code, told
    found = re.findall(r"^error: .*(?:\nhint: .*)?", told, re.MULTILINE)
    assert len(found) == 1, told
    for word in words:
        assert word in found[0], told
    assert "Traceback" not in told
    everywhere = told + clone.logs() + clone.audit()
    for secret in (*clone.secrets, WRONG, *secrets):
        assert secret not in everywhere


def elsewhere(url: str, *, port: int | None = None, password: str = "") -> str:
    """A source's URL with another port or password."""
    if port:
        url = re.sub(r":\d+/", f":{port}/", url)
    if password:
        url = re.sub(r":[^:@/]+@", f":{password}@", url)
    return url


def test_a_source_that_is_down(day_2_due: Clone, closed_port: int) -> None:
    url = elsewhere(day_2_due.env["SHOP_URL"], port=closed_port)
    done = run(day_2_due, "suppliers", "customers", SHOP_URL=url)
    assert_told(
        day_2_due, done, 3, "source shop", f"127.0.0.1:{closed_port}", "SHOP_URL"
    )
    assert_heals(day_2_due, "suppliers", "customers")


@pytest.mark.long
def test_a_source_that_is_down_while_another_is_up(
    day_2_due: Clone, closed_port: int
) -> None:
    url = elsewhere(day_2_due.env["SHOP_URL"], port=closed_port)
    done = run(day_2_due, "suppliers", "crm_contacts", SHOP_URL=url)
    assert_told(day_2_due, done, 1, "source shop")
    assert "crm.contacts" in done.stdout
    assert day_2_due.query(
        "select table_id, state from audit.batch where batch_seq = 2"
    ) == [("crm.contacts", "released")]
    assert_heals(day_2_due, "suppliers", "crm_contacts")


def test_a_wrong_password_of_the_source(day_2_due: Clone) -> None:
    url = elsewhere(day_2_due.env["SHOP_URL"], password=WRONG)
    done = run(day_2_due, "suppliers", SHOP_URL=url)
    assert_told(day_2_due, done, 3, "refused user 'seedbed_reader'", "SHOP_URL")
    assert_heals(day_2_due, "suppliers")


def test_one_source_of_the_user_s_own_is_not_replaced_by_the_embedded_one(
    day_2_due: Clone,
) -> None:
    url = elsewhere(day_2_due.env["SHOP_URL"], password=WRONG)
    done = day_2_due.cli("run", "--tables", "suppliers", SHOP_URL=url)
    assert_told(day_2_due, done, 3, "refused user 'seedbed_reader'")


@pytest.mark.long
def test_a_warehouse_of_the_user_s_own_is_not_replaced_by_the_embedded_one(
    day_2_due: Clone, closed_port: int
) -> None:
    own = {k: v for k, v in day_2_due.env.items() if k.startswith("PG")}
    done = day_2_due.cli(
        "run", "--tables", "suppliers", **own | {"PGPORT": str(closed_port)}
    )
    assert_told(day_2_due, done, 3, "warehouse", f"127.0.0.1:{closed_port}")


def test_a_bucket_that_does_not_exist(day_2_due: Clone) -> None:
    done = run(day_2_due, "suppliers", SEEDBED_LAKE="s3://nowhere")
    # A store says NoSuchBucket, or AccessDenied to keys that are not for it.
    assert_told(day_2_due, done, 3, "s3://nowhere", "Check that the bucket exists")
    assert_heals(day_2_due, "suppliers")


@pytest.mark.fault(13)
def test_a_lake_that_is_down(day_2_due: Clone, closed_port: int) -> None:
    url = f"http://127.0.0.1:{closed_port}"
    done = run(day_2_due, "suppliers", AWS_ENDPOINT_URL_S3=url)
    assert_told(day_2_due, done, 3, "the lake s3://lake/ refused")
    assert_heals(day_2_due, "suppliers")


def test_a_warehouse_that_is_down(day_2_due: Clone, closed_port: int) -> None:
    done = run(day_2_due, "suppliers", PGPORT=str(closed_port))
    assert_told(
        day_2_due, done, 3, f"127.0.0.1:{closed_port}", "PGPORT", "./seedbed doctor"
    )
    assert_heals(day_2_due, "suppliers")


def test_a_wrong_password_of_the_warehouse(day_2_due: Clone) -> None:
    done = run(day_2_due, "suppliers", PGPASSWORD=WRONG)
    assert_told(day_2_due, done, 3, "password authentication failed", "PGPASSWORD")


def test_a_url_of_another_form(day_2_due: Clone) -> None:
    url = f"mysql:/me:{WRONG}@127.0.0.1"
    done = run(day_2_due, "suppliers", SHOP_URL=url)
    assert_told(day_2_due, done, 2, "SHOP_URL", "mysql://USER:PASSWORD@HOST:PORT/")
    assert_heals(day_2_due, "suppliers")


def test_a_lake_s_address_of_another_form(day_2_due: Clone) -> None:
    done = run(day_2_due, "suppliers", SEEDBED_LAKE="lake")
    assert_told(day_2_due, done, 2, "SEEDBED_LAKE", "s3://BUCKET")


def test_a_table_that_vanished_leaves_the_others_to_go_on(day_2_due: Clone) -> None:
    before = day_2_due.relation("silver", "crm_contacts")
    day_2_due.change("drop table crm.contacts")
    done = run(day_2_due, "crm_contacts", "suppliers", "customers")
    assert_told(day_2_due, done, 1, "there is no table 'contacts' in schema crm")
    assert day_2_due.relation("silver", "crm_contacts") == before
    assert_heals(day_2_due, "suppliers", "customers")
    day_2_due.deliver("day_2")
    assert_heals(day_2_due, "crm_contacts")


@pytest.mark.long
@pytest.mark.fault(18)
def test_a_column_that_vanished_leaves_its_table_as_it_was(day_2_due: Clone) -> None:
    before = day_2_due.relation("silver", "suppliers")
    day_2_due.change("alter table shop.suppliers drop column rating")
    done = run(day_2_due, "suppliers", "customers")
    assert_told(
        day_2_due, done, 1, "column rating is no longer in the source", "columns.csv"
    )
    assert day_2_due.relation("silver", "suppliers") == before
    day_2_due.deliver("day_2")
    assert_heals(day_2_due, "suppliers", "customers")


@pytest.mark.long
def test_a_privilege_that_is_missing_for_one_table(day_2_due: Clone) -> None:
    embedded.down(day_2_due.root, quiet)
    server = MariaDB(Stack(day_2_due.root), quiet)
    statements = (
        "use mysql;",
        "flush privileges;",
        f"create or replace user narrow@127.0.0.1 identified by '{WRONG}';",
        "grant select on shop.customers to narrow@127.0.0.1;",
    )
    server.alone("\n".join(statements), server.data)
    day_2_due.start()
    url = re.sub("//.*@", f"//narrow:{WRONG}@", day_2_due.env["SHOP_URL"])
    done = run(day_2_due, "suppliers", "customers", SHOP_URL=url)
    assert_told(day_2_due, done, 1, "shop.suppliers", "may not SELECT from it")
    assert day_2_due.query(
        "select table_id, state from audit.batch where batch_seq = 2"
    ) == [("shop.customers", "released")]
    assert_heals(day_2_due, "suppliers", "customers")


def test_a_database_in_which_nothing_may_be_created(day_2_due: Clone) -> None:
    done = run(day_2_due, "suppliers", PGDATABASE="postgres")
    assert_told(
        day_2_due,
        done,
        3,
        "permission denied for database postgres",
        "grant connect, create, temporary on database postgres to seedbed",
    )


@pytest.mark.long
def test_a_table_that_may_not_be_read(day_2_due: Clone) -> None:
    day_2_due.change(
        "create or replace view shop.unreadable as select 1 as a",
        "drop table shop.suppliers",
        # A view over what is gone: it is there, and reading it fails.
        "create table shop.gone as select * from shop.products",
        "create view shop.suppliers as select product_id as supplier_id, name, "
        "sku as country, sku as contact_email, cost as rating, created_at, updated_at "
        "from shop.gone",
        "drop table shop.gone",
    )
    done = run(day_2_due, "suppliers", "customers")
    try:
        assert done.returncode == 1
        assert "Traceback" not in done.stdout + done.stderr
        assert "shop.suppliers" in done.stdout
    finally:
        day_2_due.change("drop view shop.suppliers", "drop view shop.unreadable")
    day_2_due.deliver("day_2")
    assert_heals(day_2_due, "suppliers", "customers")


def test_a_model_that_does_not_parse_is_reported_and_the_rows_wait_for_it(
    day_2_due: Clone,
) -> None:
    path = day_2_due.root / "models" / "silver" / "zz_broken.sql"
    path.write_text("select * from {{ ref('nothing_of_that_name') }}")
    try:
        done = run(day_2_due, "suppliers")
    finally:
        path.unlink()
    assert done.returncode == 1
    assert "nothing_of_that_name" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert_heals(day_2_due, "suppliers", with_build=True)


def test_a_model_that_fails_exits_with_1_and_is_built_once_it_is_mended(
    day_2_due: Clone,
) -> None:
    path = day_2_due.root / "models" / "silver" / "zz_broken.sql"
    path.write_text("select 1 / count(*) * 0 as a, nothing from {{ ref('suppliers') }}")
    try:
        done = run(day_2_due, "suppliers")
    finally:
        path.unlink()
    assert done.returncode == 1
    assert "zz_broken" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert_heals(day_2_due, "suppliers", with_build=True)


def test_a_lost_warehouse_in_mid_run_is_reported_and_nothing_is_lost(
    day_2_due: Clone,
) -> None:
    """The server restarts between planning and the end."""
    process = subprocess.Popen(
        day_2_due.command("run", "--tables", "suppliers"),
        cwd=day_2_due.root,
        env={**day_2_due.env, "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while process.poll() is None:
        if day_2_due.value("select count(*) from audit.batch where state = 'planned'"):
            break  # it is being read, with a look into the log
    with day_2_due.connect("postgres") as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = 'seedbed' and backend_type = 'client backend'"
        )
    told, _ = process.communicate(timeout=120)
    assert process.returncode in (0, 1, 3), told
    assert "Traceback" not in told
    if process.returncode == 0:
        assert "try 2 of" in told
    assert_heals(day_2_due, "suppliers", with_build=True)


@pytest.mark.long
def test_servers_that_were_killed_come_back_with_the_next_command(
    day_2_due: Clone,
) -> None:
    embedded.down(day_2_due.root, quiet)
    done = day_2_due.cli("run", "--tables", "suppliers")
    assert done.returncode == 0, done.stdout + done.stderr
    day_2_due.start()
    assert_heals(day_2_due, "suppliers", with_build=True)
