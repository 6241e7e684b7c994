"""Run a server as a child that outlives us, never as root, and find it again.

Called by root, servers drop to an ordinary account. Where that may not enter the
clone's folder (root's home, `mktemp -d`), they run in a private mount namespace that
shows them just the folders they need, where they are. Without one the account would
have to be let into root's home, or be root in all but name.
"""

import os
import pwd
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from ingest.errors import ServiceError

Report = Callable[[str], None]

LARGEST_LOG = 32 << 20  # bytes

# Python warns when it forgets a child that still runs; these run on by intent.
_children: list[subprocess.Popen[bytes]] = []


class Runtime:
    """The account and the folders of a service's programs, which run in `folder`.

    That is the service's own, given to its account; `needs` are folders with programs
    it must be able to read. With `as_caller` they run as whoever calls, even root.
    Raises ServiceError when no account or folder can be found.
    """

    def __init__(
        self, folder: Path, needs: Sequence[Path] = (), as_caller: bool = False
    ) -> None:
        self.folder = folder
        self.account: pwd.struct_passwd | None = None
        self.shown: tuple[Path, ...] = ()
        folder.mkdir(mode=0o700, exist_ok=True)
        if as_caller or os.geteuid() != 0:
            return
        self.account = _account(folder)
        os.chown(folder, self.account.pw_uid, self.account.pw_gid)
        paths = (folder, *needs)
        enters = " && ".join(f"test -r {q} -a -x {q}" for q in map(_quote, paths))
        for self.shown in ((), paths):
            with suppress(ServiceError, FileNotFoundError):  # there may be no unshare
                self.run(["sh", "-c", enters])
                return
        raise ServiceError(
            f"Seedbed was started by root, its servers run as "
            f"'{self.account.pw_name}', and that account may not enter {folder}; nor "
            "can a private view of it be mounted here (unshare --mount).",
            "Move the clone to a folder that everyone may enter (/opt/seedbed, say), "
            "or run it as an ordinary user.",
        )

    def _command(self, argv: Sequence[str], pid_file: Path | None = None) -> list[str]:
        steps = ["umask 022"]
        if pid_file:  # before the server itself, so that no kill leaves an orphan
            steps.append(f"cat /proc/$$/stat > {_quote(pid_file)}")
        steps += [*_show(self.shown), f"cd {_quote(self.folder)}"]
        if self.account:
            ids = [f"--reuid={self.account.pw_uid}", f"--regid={self.account.pw_gid}"]
            argv = ["setpriv", *ids, "--clear-groups", "--no-new-privs", *argv]
        steps += ["umask 077", f"exec {shlex.join(argv)}"]
        unshare = ["unshare", "--mount", "--propagation", "private"]
        return [*(unshare if self.shown else []), "sh", "-c", " && ".join(steps)]

    def run(self, argv: Sequence[str], stdin: str = "") -> str:
        """Run to the end and return its output; ServiceError with that if it fails."""
        done = subprocess.run(
            self._command(argv),
            check=False,
            input=stdin,
            text=True,
            errors="replace",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(),
        )
        if done.returncode != 0:
            raise ServiceError(
                f"{Path(argv[0]).name} failed (exit code {done.returncode}). "
                f"Its last lines:\n{tail(done.stdout)}"
            )
        return done.stdout

    def write(self, path: Path, text: str) -> None:
        """Write a file that only the service's account may read."""
        self.run(["sh", "-c", 'cat > "$0"', str(path)], stdin=text)

    def spawn(
        self, argv: Sequence[str], pid_file: Path, log: Path, **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start a server in a separate session, writing only to its log."""
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        with open(log, "ab", opener=lambda p, f: os.open(p, f, 0o600)) as output:
            child = subprocess.Popen(
                self._command(argv, pid_file),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=_environment() | environment,
            )
        _children.append(child)
        return child


def _account(folder: Path) -> pwd.struct_passwd:
    """The account that root drops to: the data's owner, otherwise `nobody`."""
    owner = folder.stat().st_uid
    try:
        return pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
    except KeyError:
        raise ServiceError(
            f"Seedbed was started by root and its servers never run as root: there "
            f"is no account 'nobody' here, or {folder} belongs to a user without an "
            "account.",
            "Run ./seedbed as an ordinary user.",
        ) from None


def _show(paths: Sequence[Path]) -> list[str]:
    """Shell steps that hide folders closed to others, except `paths` below them.

    They are held open meanwhile, as their own names lead to the cover.
    """
    # A path that leads elsewhere by a link is shown where it leads to.
    places = [path if _closed(path) else path.resolve() for path in paths]
    covered = {path: cover for path in places if (cover := _closed(path))}
    held = {path: number for number, path in enumerate(covered, 3)}
    steps = [f"exec {number}< {_quote(path)}" for path, number in held.items()]
    for cover in sorted({*covered.values()}):
        steps.append(f"mount -t tmpfs -o mode=755,size=1m seedbed {_quote(cover)}")
    for path, number in held.items():
        steps.append(f"mkdir -p {_quote(path)}")
        bind = f"mount --no-canonicalize --bind /proc/self/fd/{number}"
        steps.append(f"{bind} {_quote(path)}")
        steps.append(f"exec {number}<&-")
    return steps


def _closed(path: Path) -> Path | None:
    """The first folder on the way to `path` that not everybody may enter."""
    way = reversed(path.parents)
    return next((folder for folder in way if not folder.stat().st_mode & 0o001), None)


def _quote(path: Path) -> str:
    return shlex.quote(str(path))


def _environment() -> dict[str, str]:
    """What a server inherits: no PG* of the caller's, no secrets."""
    # The system's own last: what is shown may lie beside programs of the caller's,
    # which are covered then.
    path = os.environ.get("PATH", "/usr/bin") + ":/usr/bin:/bin:/usr/sbin:/sbin"
    return {"PATH": path, "LANG": "C.UTF-8", "TZ": "UTC"}


def tail(text: str, lines: int = 12) -> str:
    """The last lines of a log, indented."""
    kept = [line for line in text.splitlines() if line.strip()][-lines:]
    return "\n".join(f"    {line}" for line in kept) or "    (nothing)"


def shorten(log: Path) -> None:
    """Rotate a log that has become large; the server goes on writing to it."""
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        shutil.copy(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)


def log_tail(log: Path) -> str:
    """The last lines of a log file, indented."""
    return tail(log.read_text(errors="replace") if log.exists() else "")


def _stat(text: str) -> tuple[str, str]:
    """State and start time out of a line of /proc/<pid>/stat."""
    fields = text.rpartition(")")[2].split()
    return (fields[0], fields[19]) if len(fields) > 19 else ("X", "")


def alive(pid_file: Path) -> int | None:
    """The pid written there if that very process still runs, else None.

    The pid may have been reused since, which its start time shows.
    """
    for child in _children:
        child.poll()  # reaps those that ended
    try:
        written = pid_file.read_text()
        pid = int(written.split()[0])
        state, started = _stat(Path(f"/proc/{pid}/stat").read_text())
    except (OSError, ValueError, IndexError):
        return None
    return pid if state not in "ZX" and started == _stat(written)[1] else None


def wait(condition: Callable[[], object], seconds: float) -> bool:
    """Wait till that holds; False if it does not after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (holds := bool(condition())) and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds
