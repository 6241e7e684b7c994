"""The demo's generator and its guards, without a database."""

from pathlib import Path

import pytest

from ingest.errors import ConfigurationError, ServiceError
from sandbox.demo import Sizes, _generate, apply_day, current_day

URL = "mysql://someone:top%2Fsecret@127.0.0.1:1/shop"


@pytest.mark.parametrize("day", [1, 2, 3, 4])
def test_the_same_rows_and_day_give_the_same_bytes(tmp_path: Path, day: int) -> None:
    written = []
    for name in ("once", "again"):
        folder = tmp_path / name
        folder.mkdir()
        counts = _generate(Sizes(300), day, folder)
        written.append(
            (counts, {f.name: f.read_bytes() for f in sorted(folder.iterdir())})
        )
    assert written[0] == written[1]
    assert written[0][0]["new_orders"] > 0


@pytest.mark.parametrize("rows", [200, 50_000, 1_000_000])
@pytest.mark.parametrize("table", ["customers", "contacts", "products", "orders"])
def test_ids_of_the_days_follow_each_other(table: str, rows: int) -> None:
    sizes = Sizes(rows)
    last = 0
    for day in (1, 2, 3):
        ids = sizes.ids(table, day)
        assert ids == (last + 1, last + sizes.new(table, day))
        last = ids[1]
    assert sizes.new(table, 4) == 0


def test_sizes_scale_with_rows() -> None:
    sizes = Sizes(50_000)
    assert sizes.new("customers", 1) == 10_000
    assert sizes.new("contacts", 1) == 6_000
    assert sizes.new("products", 1) == 500
    assert Sizes(200).new("products", 1) == 50
    assert Sizes(9_000_000).new("products", 1) == 20_000
    assert sizes.new("orders", 2) == 1_000
    assert sizes.new("customers", 2) == 300


@pytest.mark.parametrize(
    ("day", "rows", "fault"),
    [(0, 200, "days 1 to 4"), (5, 200, "days 1 to 4"), (1, 199, "200 or more")],
)
def test_wrong_arguments_are_refused_before_connecting(
    day: int, rows: int, fault: str
) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        apply_day(URL, day, rows)


def test_an_url_of_another_kind_is_refused_without_telling_it() -> None:
    with pytest.raises(ConfigurationError, match="mysql://") as failure:
        current_day("postgres://someone:secret@localhost/shop")
    assert "someone:secret" not in str(failure.value)


def test_a_server_out_of_reach_is_named_without_its_password() -> None:
    with pytest.raises(ServiceError, match=r"127\.0\.0\.1:1") as failure:
        current_day(URL)
    assert "secret" not in str(failure.value)
