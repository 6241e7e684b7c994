"""Each fault has a test, each failpoint too, and the page names just those."""

import re

from ingest import failpoints
from tests.faults import reliability
from tests.faults.matrix import FAULTS, IN_A_PUBLISH, IN_ANY_RUN, IN_RANGES

WANTED = [*range(1, 29)]


def rows() -> dict[int, list[str]]:
    """The cells of each row of the committed page, by number."""
    lines = reliability.PAGE.read_text().splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if re.match(r"\| \d", line)
    ]
    return {int(number): rest for number, *rest in cells}


def test_each_fault_is_described_and_has_a_test() -> None:
    assert list(FAULTS) == WANTED
    assert sorted(reliability.tests()) == WANTED


def test_each_failpoint_has_a_test() -> None:
    tested = (*IN_ANY_RUN, *IN_RANGES, *IN_A_PUBLISH)
    assert sorted(tested) == sorted(failpoints.POINTS)


def test_the_page_names_the_tests_that_there_are() -> None:
    proofs = reliability.tests()
    found = rows()
    assert list(found) == WANTED, f"write it again: {reliability.COMMAND}"
    for number, (what, outcome, links, _) in found.items():
        assert (what, outcome) == FAULTS[number]
        assert links == "; ".join(test.link for test in proofs[number]), number
    points = ", ".join(f"`{point}`" for point in failpoints.POINTS)
    assert points in " ".join(reliability.PAGE.read_text().split())


def test_the_page_was_written_after_all_tests_had_passed() -> None:
    for number, (*_, result) in rows().items():
        assert re.fullmatch(r"\d+ passed", result), number


def test_the_page_counts_fifty_random_kills_or_more() -> None:
    found = re.search(r"killed\s(\d+)\sruns", reliability.PAGE.read_text())
    assert found
    assert int(found[1]) >= 50
