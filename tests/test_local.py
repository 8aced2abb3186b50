"""Child servers, with a small real one: shared, stopped by the last user, right after any crash."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from payouts.local import ChildServer, Launch, ServerError, private_directory, sandbox_running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVER = textwrap.dedent("""\
    # Says its process id to everyone who connects. Arguments: its folder, then its temper.
    import os, pathlib, signal, socket, sys, time
    folder, temper = pathlib.Path(sys.argv[1]), sys.argv[2:]
    with (folder / "born").open("a") as births:
        births.write(f"{os.getpid()}\\n")
    if "dies" in temper:
        sys.exit("no luck today")
    if "deaf" in temper:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    def farewell(*_):
        print("stopped in good order", flush=True)
        time.sleep(1 if "lingers" in temper else 0)
        os._exit(0)
    if "deaf" not in temper:
        signal.signal(signal.SIGTERM, farewell)
    time.sleep(next((float(word[5:]) for word in temper if word.startswith("slow=")), 0))
    listener = socket.create_server(("127.0.0.1", 0))
    new = folder / "address.new"
    new.write_text(str(listener.getsockname()[1]))
    if "mute" not in temper:
        new.replace(folder / "address")
    if "parent" in temper and os.fork() == 0:
        while not (folder / "leave").exists():  # lives on when its parent is killed
            time.sleep(0.01)
        os._exit(0)
    while True:
        connection, _ = listener.accept()
        connection.sendall(str(os.getpid()).encode())
        connection.close()
""")

USER = textwrap.dedent("""\
    # Uses the server until its standard input ends; says "inside" when it can.
    import pathlib, sys
    sys.path.insert(0, sys.argv[1])
    from test_local import server, ask
    with server(pathlib.Path(sys.argv[2]), *sys.argv[3:]).running():
        print("inside", ask(pathlib.Path(sys.argv[2])), flush=True)
        sys.stdin.read()
    print("outside", flush=True)
""")


def server(
    folder: Path, *temper: str, wait_max: float = 20.0, stop_max: float = 5.0
) -> ChildServer:
    """A child server that runs `SERVER`; its address file is stale after a crash, as real ones."""
    address = folder / "address"

    def prepare(_lock: int) -> Launch:
        address.unlink(missing_ok=True)
        script = folder / "server.py"
        script.write_text(SERVER)
        return Launch([sys.executable, os.fspath(script), os.fspath(folder), *temper])

    return ChildServer(
        "the test server",
        folder,
        prepare,
        obstacle=lambda: None if address.exists() else "no address yet",
        stop_by=((signal.SIGTERM, stop_max), (signal.SIGKILL, 5.0)),
        wait_max=wait_max,
    )


def ask(folder: Path) -> int:
    """The process id that the server of `folder` says it has."""
    port = int((folder / "address").read_text())
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        return int(connection.recv(20))


def births(folder: Path) -> int:
    """How many servers were ever started in `folder`."""
    return len((folder / "born").read_text().splitlines())


def start_user(folder: Path, *temper: str) -> subprocess.Popen[str]:
    """Start a process that uses the server of `folder`, without waiting for it."""
    command = [sys.executable, "-c", USER, os.fspath(Path(__file__).parent), os.fspath(folder)]
    return subprocess.Popen(
        [*command, *temper],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def user(folder: Path, *temper: str) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the server of `folder`; inside when the block begins."""
    with start_user(folder, *temper) as process:
        assert read_line(process).startswith("inside")
        yield process
        assert process.poll() is not None or process.communicate()[0] == "outside\n"


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout.readline() or process.stderr.read()


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def until(condition: Callable[[], bool], wait_max: float = 10.0) -> None:
    deadline = time.monotonic() + wait_max
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "server"


# Sharing


def test_the_first_user_starts_it_and_the_last_one_stops_it(folder: Path) -> None:
    with server(folder).running(), user(folder) as other:
        assert ask(folder) == server(folder).pid()
        other.communicate()
        assert server(folder).alive()
    assert not server(folder).alive()
    assert births(folder) == 1
    assert server(folder).log.read_text().endswith("stopped in good order\n")


def test_it_outlives_its_starter_while_somebody_uses_it(folder: Path) -> None:
    with user(folder) as starter, server(folder).running():
        pid = ask(folder)
        starter.communicate()

        assert ask(folder) == pid
    assert not server(folder).alive()


def test_two_users_in_one_process_count_as_two(folder: Path) -> None:
    with server(folder).running():
        with server(folder).running():
            assert server(folder).alive()
        assert server(folder).alive()
    assert not server(folder).alive()


def test_several_first_starters_at_once_start_one(folder: Path) -> None:
    with ExitStack() as stack:
        users = [stack.enter_context(start_user(folder, "slow=0.5")) for _ in range(4)]
        said = {read_line(process) for process in users}
        for process in users:
            process.communicate()

    assert len(said) == 1, said
    assert births(folder) == 1
    assert not server(folder).alive()


def test_it_is_nobodys_child_and_in_a_session_of_its_own(folder: Path) -> None:
    """As a child it would become a zombie, and Ctrl-C in our terminal would end it."""
    with server(folder).running():
        pid = ask(folder)

        assert pid not in [child.pid for child in psutil.Process().children(recursive=True)]
        assert os.getsid(pid) != os.getsid(0)
        assert os.getpgid(pid) != os.getpgid(0)


def test_its_folder_and_files_are_private(folder: Path) -> None:
    folder.mkdir(mode=0o755)

    with server(folder).running():
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.glob("*.lock")}
        assert folder.stat().st_mode & 0o777 == 0o700
        assert modes == dict.fromkeys(("turn.lock", "users.lock", "server.lock"), 0o600)
        assert server(folder).log.stat().st_mode & 0o777 == 0o600


def test_a_link_in_place_of_a_lock_is_not_followed(folder: Path, tmp_path: Path) -> None:
    private_directory(folder)
    (folder / "turn.lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic links"), server(folder).running():
        pass
    assert not (tmp_path / "elsewhere").exists()


# Crashes


def test_after_a_sigkill_of_its_only_user_the_next_one_finds_and_stops_it(folder: Path) -> None:
    with user(folder) as owner:
        pid = ask(folder)
        kill(owner)
    assert server(folder).alive()

    with server(folder).running():
        assert ask(folder) == pid
    assert not server(folder).alive()


def test_after_a_sigkill_of_the_starter_in_the_middle_of_a_start_the_next_one_waits(
    folder: Path,
) -> None:
    with start_user(folder, "slow=1") as starter:
        until((folder / "born").exists)
        kill(starter)

    with server(folder).running():
        assert ask(folder) == server(folder).pid()
    assert births(folder) == 1


def test_after_a_sigkill_of_the_server_the_next_user_starts_another(folder: Path) -> None:
    """The address file that it leaves behind names a port where nobody, or a stranger, listens."""
    with user(folder) as owner:
        os.kill(ask(folder), signal.SIGKILL)
        until(lambda: not server(folder).alive())
        assert (folder / "address").exists()

        with server(folder).running():
            assert ask(folder) == server(folder).pid()
            owner.communicate()
    assert births(folder) == 2


def test_after_a_sigkill_of_the_stopper_nobody_takes_the_dying_server_for_a_ready_one(
    folder: Path,
) -> None:
    with user(folder, "lingers") as owner:
        dying = ask(folder)
        assert owner.stdin is not None
        owner.stdin.close()
        until(lambda: "stopping" in (folder / "server.lock").read_text())
        owner.kill()
        owner.wait()

    with server(folder).running():
        assert ask(folder) != dying
    assert births(folder) == 2


def test_a_recycled_process_id_is_never_signalled(folder: Path) -> None:
    """After a restart of the machine the number in server.lock belongs to anybody."""
    private_directory(folder)
    with subprocess.Popen(["/bin/sleep", "30"]) as stranger:
        (folder / "server.lock").write_text(f"{stranger.pid}\n")
        assert server(folder).pid() is None

        with server(folder).running():
            (folder / "server.lock").write_text(f"{stranger.pid}\n")
            assert server(folder).alive()
            assert server(folder).pid() is None
            (folder / "server.lock").write_text(f"{ask(folder)}\n")

        assert stranger.poll() is None
        stranger.kill()


def test_a_child_that_outlives_the_server_is_waited_for(folder: Path) -> None:
    """Two generations of PostgreSQL on one data folder would destroy it."""
    with server(folder, "parent").running():
        first = ask(folder)
        os.kill(first, signal.SIGKILL)
        until(lambda: server(folder).pid() is None)
        assert server(folder).alive()

        (folder / "address").unlink()
        leave = threading.Timer(0.5, (folder / "leave").touch)
        leave.start()
        with server(folder).running():
            assert (folder / "leave").exists()
            assert ask(folder) != first
        leave.join()
    assert births(folder) == 2


def test_an_interrupted_start_leaves_nothing_running(folder: Path) -> None:
    with start_user(folder, "slow=30") as starter:
        until((folder / "born").exists)
        starter.send_signal(signal.SIGINT)
        starter.communicate()

    assert not server(folder).alive()


def test_users_that_come_and_go_and_are_killed_always_meet_a_living_server(folder: Path) -> None:
    """A server stopped under a user's feet, or two at once, would show here."""
    dice = random.Random(7)  # noqa: S311  the seed replays the schedule
    deadline = time.monotonic() + 6
    inside: list[subprocess.Popen[str]] = []
    visits = 0
    while time.monotonic() < deadline:
        newcomers = [start_user(folder) for _ in range(2)]
        for process in inside:
            if dice.random() < 0.3:
                kill(process)
            elif dice.random() < 0.6:
                assert process.communicate() == ("outside\n", "")
        inside = [process for process in inside if process.poll() is None]
        for process in newcomers:
            line = read_line(process)
            assert line == f"inside {ask(folder)}\n"
            visits += 1
        inside += newcomers
    for process in inside:
        kill(process)

    with server(folder).running():
        assert ask(folder) == server(folder).pid()
    assert not server(folder).alive()
    assert visits > 4


# Failures


def test_a_server_that_dies_says_its_last_words_and_the_next_start_is_free(folder: Path) -> None:
    with (
        pytest.raises(
            ServerError, match=r"(?s)ended right after its start.*no luck today"
        ) as caught,
        server(folder, "dies").running(),
    ):
        pass
    assert caught.value.hint == f"Read {folder / 'log'}."

    with server(folder).running():
        assert ask(folder)


def test_a_server_that_never_listens_is_given_up_and_stopped(folder: Path) -> None:
    mute = server(folder, "mute", wait_max=0.5)

    with (
        pytest.raises(ServerError, match=r"not ready after 0.5 s \(no address yet\)"),
        mute.running(),
    ):
        pass
    assert not mute.alive()


def test_a_server_that_ignores_the_first_signal_gets_the_next(folder: Path) -> None:
    deaf = server(folder, "deaf", stop_max=0.2)

    with deaf.running():
        assert deaf.alive()
    assert not deaf.alive()


def test_a_slow_start_is_told_while_it_lasts(folder: Path) -> None:
    told: list[str] = []

    with server(folder, "slow=2.3").running(progress=told.append):
        pass
    assert told == [
        "Starting the test server",
        "Waiting for the test server: no address yet (2 s)",
    ]


def test_a_large_log_is_put_aside_before_a_start(folder: Path) -> None:
    private_directory(folder)
    (folder / "log").write_bytes(b"x" * 8_000_001)

    with server(folder).running():
        assert (folder / "log").stat().st_size < 1_000
        assert (folder / "log.1").stat().st_size == 8_000_001


def test_what_the_body_raises_comes_out_and_the_server_is_stopped(folder: Path) -> None:
    with pytest.raises(LookupError), server(folder).running():
        raise LookupError
    assert not server(folder).alive()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ServerError, match="cannot be used: Not a directory") as caught:
        private_directory(tmp_path / "file" / "server")
    assert "Check who owns" in caught.value.hint


def test_only_roots_passable_folder_lets_others_through_and_never_look(tmp_path: Path) -> None:
    """In a container without user namespaces the database runs as another user further down."""
    path = private_directory(tmp_path / "state", passable=True)
    assert path.stat().st_mode & 0o777 == (0o711 if os.geteuid() == 0 else 0o700)

    private_directory(path)
    assert path.stat().st_mode & 0o777 == 0o700


def test_a_preparation_that_the_disk_refuses_is_told_as_such(folder: Path) -> None:
    private_directory(folder)
    (folder / "server.py").mkdir()

    with pytest.raises(ServerError, match=r"test server cannot be started:.*Is a directory"):
        server(folder).running().__enter__()
    assert not server(folder).alive()


# The sandbox


def answers(address: str) -> bool:
    """Whether a sandbox takes requests there."""
    try:
        with urllib.request.urlopen(f"{address}/_control/settings", timeout=5) as reply:  # noqa: S310  its own http address
            return bool(reply.status == 200)
    except OSError:
        return False


def test_the_sandbox_is_found_by_its_address_and_stopped_by_its_last_user(folder: Path) -> None:
    told: list[str] = []

    with sandbox_running(folder, speed="instant", progress=told.append) as address:
        assert answers(address)
        with sandbox_running(folder, speed=1, progress=told.append) as again:
            assert again == address
        assert answers(address)
    assert told == ["Starting the sandbox"]
    assert not (folder / "address").exists()


def test_the_sandbox_starts_again_after_it_was_killed(folder: Path) -> None:
    with sandbox_running(folder) as address:
        for process in psutil.process_iter(["cwd", "cmdline"]):
            if process.info["cwd"] == os.fspath(folder):
                process.kill()
        until(lambda: not answers(address))
        assert (folder / "address").exists()

        with sandbox_running(folder) as again:
            assert answers(again)


def test_the_sandbox_says_why_it_cannot_start(folder: Path) -> None:
    with (
        pytest.raises(ServerError, match=r"(?s)the sandbox ended right after.*--no-such-option"),
        sandbox_running(folder, extra_args=["--no-such-option"]),
    ):
        pass
