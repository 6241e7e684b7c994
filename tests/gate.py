"""The gate's process, forked from one that has imported Great Expectations.

Run as `python -IS tests/gate.py SOCKET`, which imports next to nothing: it hands its
input, output, folder and environment to the process behind the socket, of which a fork
is `python -m gx.checks` to whoever started it. The two end together.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import traceback
from select import select


def ask(path: str) -> int:
    """Have a fork read this process's input and write to its output; its exit code."""
    told = [os.getcwdb(), *(b"=".join(pair) for pair in os.environb.items())]
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.connect(path)
        socket.send_fds(server, [b"\0".join(told)], (0, 1, 2))
        return (server.recv(1) or b"\1")[0]


def serve(listener: socket.socket) -> None:
    """Fork for each who asks, until the input of this process ends."""
    import gx.checks  # noqa: F401  (which the forks then have)

    while listener in select([listener, 0], [], [])[0]:
        caller, _ = listener.accept()
        if not os.fork():
            listener.close()
            _answer(caller)
        caller.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _answer(caller: socket.socket) -> None:
    from gx import checks

    code = 1
    try:
        told, descriptors, _, _ = socket.recv_fds(caller, 1 << 18, 3)
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        folder, *variables = told.split(b"\0")
        os.chdir(folder)
        os.umask(0o077)  # as a gate has it that the command line starts
        os.environb.clear()
        os.environb.update(v.split(b"=", 1) for v in variables)
        threading.Thread(target=_end_with, args=(caller,), daemon=True).start()
        checks.main()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        with contextlib.suppress(OSError):
            caller.send(bytes([code]))
        os._exit(code)


def _end_with(caller: socket.socket) -> None:
    """Be killed as soon as the caller is."""
    caller.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(ask(sys.argv[1]))
