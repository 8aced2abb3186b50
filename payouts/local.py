"""Child servers: programs that a project folder runs for its own use, started, shared, stopped.

A *child server* (PostgreSQL, the sandbox) belongs to one folder. Whoever needs it enters
`ChildServer.running()`: the first one starts it, the others find it, the last one stops it. Three
locks in that folder hold all that there is to know, and the kernel drops each of them with the
process that holds it, so that no crash leaves anything to tidy up:

```
turn.lock     exclusive  whoever is starting or stopping; two first starters wait for each other
users.lock    shared     everybody who uses the server; who can take it exclusively stops it
server.lock   exclusive  the server itself and its own children, from birth to death;
                         its content is the server's process id
```

The server inherits `server.lock` as an open descriptor. It is therefore alive exactly when the
lock is taken, whatever became of the process that started it: no process id has to be trusted, and
every other file that a crash left behind is known to be stale. After a SIGKILL of its last user the
server stays until the next one comes, who finds it, uses it and stops it.

Works where `flock` does: Linux and macOS (on Windows: WSL).
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from payouts.core.errors import PayoutsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = [
    "ChildServer",
    "Launch",
    "ServerError",
    "private_directory",
    "sandbox_running",
    "set_sandbox",
    "silent",
]

START_WAIT_MAX_S = 600.0  # crash recovery of a large database takes minutes, not seconds
_POLL_S = 0.01
_TELL_FIRST_S = 2.0
_TELL_EVERY_S = 5.0
_LOG_MAX_BYTES = 8_000_000

# The shell leaves at once, so that the server is nobody's child: no zombie stays behind when it
# dies, and no process that merely used it has to wait for it. The inner shell writes its own
# process id and then becomes the server.
_DETACH = """/bin/sh -c 'echo $$ >"$1" && shift && exec "$@"' sh "$@" &"""


class ServerError(PayoutsError):
    """A child server could not be started, found or stopped."""

    code = "E_LOCAL_SERVER"


def silent(message: str) -> None:
    """Take a progress message and show it to nobody."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a child server is started.

    Args:
        command: the program and its arguments.
        environment: the whole environment of the program; null: ours.
        user: (user id, group id) that the program runs as, for a program that refuses root;
            null: ours.
    """

    command: Sequence[str]
    environment: Mapping[str, str] | None = None
    user: tuple[int, int] | None = None


def _nothing() -> None:
    """Tidy nothing up."""


@dataclass(frozen=True, slots=True)
class ChildServer:
    """One server of one folder.

    Args:
        name: what messages call it.
        directory: the folder of its locks and log; made private (0700) when it is missing.
        prepare: makes everything ready for a start and says how to start. It is called only while
            no server is alive, by one process at a time, with a descriptor of `server.lock`:
            whatever it runs has to inherit that descriptor, so that a helper program which
            outlives a killed starter still counts as a living server.
        obstacle: why the living server does not take requests yet; null when it does.
        tidy: removes what `prepare` left outside the folder; called after a stop.
        stop_by: the signals of a stop, each with the seconds to wait before the next.
        wait_max: seconds until a start is given up.
    """

    name: str
    directory: Path
    prepare: Callable[[int], Launch]
    obstacle: Callable[[], str | None]
    tidy: Callable[[], None] = _nothing
    stop_by: Sequence[tuple[signal.Signals, float]] = field(
        default=((signal.SIGTERM, 30.0), (signal.SIGKILL, 10.0))
    )
    wait_max: float = START_WAIT_MAX_S

    @property
    def log(self) -> Path:
        """The file that receives the server's standard output and error."""
        return self.directory / "log"

    @contextmanager
    def running(self, *, progress: Callable[[str], None] = silent) -> Iterator[None]:
        """Keep the server running inside the `with` block.

        Args:
            progress: receives a sentence when a start begins and, while it lasts, every few
                seconds.

        Raises:
            ServerError: the server did not start; the message ends with what its log says.
        """
        private_directory(self.directory)
        with _opened(self.directory / "users.lock") as users:
            with self._turn(progress):
                _lock(users, fcntl.LOCK_SH)
                try:
                    self._start(progress)
                except BaseException:
                    self._leave(users, progress)
                    raise
            try:
                yield
            finally:
                with self._turn(progress):
                    self._leave(users, progress)

    def alive(self) -> bool:
        """Whether a server of this folder lives now, ready or not."""
        if not (self.directory / "server.lock").exists():
            return False
        with _opened(self.directory / "server.lock") as lock:
            return not _lock(lock, fcntl.LOCK_SH)

    def pid(self) -> int | None:
        """The process id of the living server; null while there is none or it is being born."""
        if not self.alive():
            return None
        words = (self.directory / "server.lock").read_text().split()
        pid = int(words[0]) if words else None
        return pid if pid is not None and self._is_server(pid) else None

    # Starting

    def _start(self, progress: Callable[[str], None]) -> None:
        """Find the living server or start one, and wait until it is ready. Needs the turn."""
        patience = _Patience(self.wait_max, progress)
        launched = False
        obstacle: str | None = "starting"
        while True:
            if self._stopping():
                self._stop(progress)  # its stopper was killed before it was done
            if self.alive():
                obstacle = self.obstacle()
                if obstacle is None:
                    return
            elif launched:
                raise self._broken("ended right after its start")
            else:
                launched = self._launch(progress)
            if not patience.wait(f"Waiting for {self.name}: {obstacle}"):
                raise self._broken(f"was not ready after {self.wait_max:g} s ({obstacle})")

    def _launch(self, progress: Callable[[str], None]) -> bool:
        """Start a server; false when the lock is taken, if only by somebody's `alive()`."""
        with _opened(self.directory / "server.lock") as lock:
            if not _lock(lock, fcntl.LOCK_EX):
                return False
            progress(f"Starting {self.name}")
            os.ftruncate(lock, 0)
            self._rotate_log()
            try:
                launch = self.prepare(lock)
            except OSError as error:
                raise ServerError(f"{self.name} cannot be started: {error}") from error
            if launch.user is not None:
                for path in self.directory.glob("*.lock"):
                    os.chown(path, *launch.user)
            self._spawn(launch, lock)
        return True

    def _spawn(self, launch: Launch, lock: int) -> None:
        user, group = launch.user or (None, None)
        with _opened(self.log, os.O_APPEND) as log:
            subprocess.run(  # noqa: S603  our own program, its arguments given as a list
                ["/bin/sh", "-c", _DETACH, "sh", self.directory / "server.lock", *launch.command],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=launch.environment,
                cwd=self.directory,
                pass_fds=(lock,),
                start_new_session=True,  # Ctrl-C in the terminal is for us, not for the server
                umask=0o077,
                user=user,
                group=group,
                extra_groups=None if user is None else (),
            )

    def _rotate_log(self) -> None:
        with suppress(FileNotFoundError):
            if self.log.stat().st_size > _LOG_MAX_BYTES:
                self.log.replace(self.log.with_name("log.1"))

    def _broken(self, what: str) -> ServerError:
        with suppress(FileNotFoundError):
            tail = self.log.read_bytes()[-2_000:].decode(errors="replace").splitlines()[-8:]
            what += "; its log ends with:\n  " + "\n  ".join(tail)
        return ServerError(f"{self.name} {what}", hint=f"Read {self.log}.")

    # Stopping

    def _leave(self, users: int, progress: Callable[[str], None]) -> None:
        """Give the share back, and stop the server when nobody else has one. Needs the turn."""
        try:
            if _lock(users, fcntl.LOCK_EX):
                self._stop(progress)
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)

    def _stop(self, progress: Callable[[str], None]) -> None:
        """Stop the living server, ever less politely, and wait until it is gone."""
        for number, wait_max in self.stop_by:
            pid = self.pid()
            if pid is not None:
                # Noted before the signal: whoever comes after a killed stopper must not take the
                # dying server for a ready one.
                (self.directory / "server.lock").write_text(f"{pid} stopping\n")
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            patience = _Patience(wait_max, progress)
            while self.alive():
                if not patience.wait(f"Waiting for {self.name} to stop"):
                    break
            else:
                self.tidy()
                return
        raise ServerError(
            f"{self.name} does not stop: a process still holds {self.directory / 'server.lock'}",
            hint=f"Find it with: lsof {shlex.quote(str(self.directory / 'server.lock'))}",
        )

    def _stopping(self) -> bool:
        return "stopping" in (self.directory / "server.lock").read_text() if self.alive() else False

    def _is_server(self, pid: int) -> bool:
        """Whether process `pid` has `server.lock` open; where that cannot be seen, true."""
        lock = (self.directory / "server.lock").stat()
        try:
            descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
        except PermissionError:
            return True
        except FileNotFoundError:
            return not Path("/proc/self/fd").exists()
        for descriptor in descriptors:
            with suppress(OSError):
                if os.path.samestat(descriptor.stat(), lock):
                    return True
        return False

    # Locks

    @contextmanager
    def _turn(self, progress: Callable[[str], None]) -> Iterator[None]:
        """Be the only one who starts or stops."""
        with _opened(self.directory / "turn.lock") as turn:
            patience = _Patience(2 * self.wait_max, progress)
            while not _lock(turn, fcntl.LOCK_EX):
                if not patience.wait(f"Another process is starting or stopping {self.name}"):
                    raise ServerError(
                        f"another process has been starting or stopping {self.name} for "
                        f"{2 * self.wait_max:g} s",
                        hint=f"Find it with: lsof {shlex.quote(str(self.directory / 'turn.lock'))}",
                    )
            yield


class _Patience:
    """Waits in small steps, says so now and then, and ends after `wait_max` seconds."""

    def __init__(self, wait_max: float, progress: Callable[[str], None]) -> None:
        self._begin = time.monotonic()
        self._tell_at = _TELL_FIRST_S
        self._wait_max = wait_max
        self._progress = progress

    def wait(self, doing: str) -> bool:
        """Sleep a step; false when the patience is used up."""
        waited = time.monotonic() - self._begin
        if waited >= self._tell_at:
            self._progress(f"{doing} ({waited:.0f} s)")
            self._tell_at += _TELL_EVERY_S
        time.sleep(_POLL_S)
        return waited < self._wait_max


def private_directory(path: Path, *, passable: bool = False) -> Path:
    """Make `path` a folder that only its owner can enter, and return it.

    A folder that root makes inside somebody else's folder is given to that person, who would
    otherwise be locked out of the own project after one `sudo payouts`.

    Args:
        passable: root's folder may be passed through, not looked into (0711), because a server
            that refuses root may have to run as another user in a private folder further down.

    Raises:
        ServerError: it cannot be made, is somebody else's, or its file system keeps no permissions.
    """
    mode = 0o711 if passable and os.geteuid() == 0 else 0o700
    try:
        _make(path, mode)
        found = path.stat()
        if os.geteuid() not in {0, found.st_uid}:
            raise ServerError(
                f"{path} belongs to user {found.st_uid}, you are user {os.geteuid()}",
                hint="Run payouts as that user, or take it over: "
                f"sudo chown -R {os.geteuid()} {shlex.quote(str(path))}",
            )
        if found.st_mode & 0o777 != mode:
            path.chmod(mode)
    except OSError as error:
        raise ServerError(
            f"{path} cannot be used: {error.strerror}",
            hint="Check who owns the project folder and whether its disk is full or read-only.",
        ) from error
    if path.stat().st_mode & 0o777 != mode:
        raise ServerError(
            f"{path} cannot be made private: its file system keeps no permissions",
            hint="Move the project to a disk of this machine's own (not a Windows or USB drive).",
        )
    return path


def _make(path: Path, mode: int) -> None:
    if not path.exists():
        _make(path.parent, 0o777)
        with suppress(FileExistsError):
            path.mkdir(mode)
            _give_to_owner_of(path.parent, path)


def _give_to_owner_of(folder: Path, path: Path) -> None:
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.chown(path, owner.st_uid, owner.st_gid)


@contextmanager
def _opened(path: Path, flags: int = 0) -> Iterator[int]:
    """Open (and make, 0600) a file of a server's folder; gives its descriptor."""
    new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | flags, 0o600)
    try:
        if new:
            _give_to_owner_of(path.parent, path)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, operation: int) -> bool:
    """Take a lock if it can be had at once."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def sandbox_running(
    directory: Path,
    *,
    speed: float | Literal["instant"] = 1.0,
    extra_args: Sequence[str] = (),
    progress: Callable[[str], None] = silent,
) -> Iterator[str]:
    """Keep the sandbox of `directory` running inside the `with` block; gives its base URL.

    Args:
        directory: `<project>/.payouts/sandbox`; holds the sandbox's books, which survive restarts.
        speed: how many times faster than usual payments settle.
        extra_args: further arguments for `python -m payouts.sandbox`; like `speed` they count
            only for whoever starts it, a running sandbox is taken as it is.

    Raises:
        ServerError: the sandbox did not start.
    """
    directory = directory.absolute()
    address = directory / "address"
    # -P: no file of that folder is taken for a module.
    command = [sys.executable, "-P", "-m", "payouts.sandbox", "--dir", os.fspath(directory)]
    command += ["--port", "0", "--speed", str(speed), *extra_args]

    def prepare(_lock: int) -> Launch:
        address.unlink(missing_ok=True)  # a crash left it: nothing listens there
        return Launch(command)

    def obstacle() -> str | None:
        return None if address.exists() else "it does not listen yet"

    def tidy() -> None:
        for path in directory.rglob("*"):  # what it wrote for root in somebody else's project
            _give_to_owner_of(directory, path)

    sandbox = ChildServer("the sandbox", directory, prepare, obstacle, tidy)
    with sandbox.running(progress=progress):
        yield address.read_text().strip()


def set_sandbox(directory: Path, settings: Mapping[str, object]) -> bool:
    """Change settings of the sandbox that runs in `directory`; false where it did not take them."""
    try:
        control = urlsplit((directory / "control").read_text().strip())
        line = http.client.HTTPConnection(control.hostname or "", control.port, timeout=5.0)
        with closing(line):
            line.request("POST", "/_control/settings", json.dumps(settings))
            return line.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False  # it is gone, or going
