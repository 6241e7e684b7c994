"""Looking at a process's sockets costs it nothing."""

import os
import socket
import tempfile

from orchestration import silence


def test_looking_for_silent_sockets_leaves_no_descriptor_open() -> None:
    with tempfile.TemporaryFile(), socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()[:2]
        with socket.create_connection(place):
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(3):
                silence._shut_silent({place}, 60)
            assert len(os.listdir("/proc/self/fd")) == before
