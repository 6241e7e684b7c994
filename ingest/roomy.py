"""A stack of one piece for a program's Python calls.

CPython 3.11 and 3.12 keep the frames of calls in chunks of 16 KB. A call that happens
to cross the end of one maps the next, and its return unmaps it: 70,000 times while
Great Expectations is imported, a third of the time that this takes.
"""

from __future__ import annotations

from collections.abc import Callable

# Values on the frame's stack, of 8 bytes: a chunk is the next larger power of two, so
# that the calls that follow have a megabyte, of which only what is used is memory.
_SLOTS = 2**17 + 1


def run(program: Callable[[], None]) -> None:
    """Call the program, on top of a frame that leaves room for those that follow."""

    def call() -> None:
        program()

    call.__code__ = call.__code__.replace(co_stacksize=_SLOTS)
    call()
