"""Names of the source that mean something to somebody on their way."""

import pytest

from orchestration import reconcile
from tests.clone import quiet
from tests.faults.oracle import states
from tests.foreign import Foreign

pytestmark = pytest.mark.lean

NAMES = ("50%_off", "%s", "100%(x)s", "a%%b")


@pytest.mark.parametrize("engine", ["", " engine=myisam"])
def test_a_percent_sign_in_any_name_is_a_letter(foreign: Foreign, engine: str) -> None:
    for number, name in enumerate(NAMES):
        foreign.create(
            f"percent_{number}",
            f"create table `{name}` (`id{name}` int primary key, `v{name}` int, "
            f"`updated_at{name}` datetime not null){engine}",
            f"insert into `{name}` values (1, 1, '2026-11-01'), (2, 2, '2026-11-02')",
        )
        foreign.discover(f"percent_{number}")
        rows = [r for r in foreign.rows("tables") if r["table"] == name]
        assert [r["watermark_column"] for r in rows] == [f"updated_at{name}"]
    assert foreign.run().state == "done"
    for number, name in enumerate(NAMES):
        foreign.ask(f"percent_{number}", f"delete from `{name}` where `id{name}` = 1")
    result = foreign.run()
    assert result.state == "done", states(result)
    assert [o.batches[-1].rows_deleted for o in result.outcomes] == [1] * len(NAMES)
    with foreign.inside():
        assert all(f.is_equal for f in reconcile.run(foreign.tables(), quiet))
