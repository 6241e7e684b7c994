"""dbt's threads in this process: what Python itself can't do in several at once."""

import ast
import gc
import threading
import time

from orchestration import dbt_runner

LITERAL = repr([[n, "a word"] for n in range(40)])


class _LetsOthersRun:
    """Garbage that only the collector finds, and that stops the thread it is in."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        time.sleep(0.0001)


def test_any_number_of_threads_read_literals_at_once() -> None:
    failed: list[SystemError] = []

    def read() -> None:
        for _ in range(300):
            _LetsOthersRun()
            try:
                ast.literal_eval(LITERAL)
            except SystemError as error:
                failed.append(error)

    dbt_runner.parse_one_at_a_time()
    threads = [threading.Thread(target=read) for _ in range(8)]
    often = gc.get_threshold()
    gc.set_threshold(5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.set_threshold(*often)
    assert failed == []
