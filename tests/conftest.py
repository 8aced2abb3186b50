"""What many tests share: a real PostgreSQL, databases of their own, and a look at what is left."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from psycopg import sql

from payouts.store import embedded, migrate
from payouts.store.engine import Database
from tests import browser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.desk import Desk

_GONE_WAIT_S = 5.0
_WITHOUT = pytest.StashKey[int]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs Chromium where there is none, and say so; CI has one, or fails."""
    if browser.program() is not None or os.environ.get("CI"):
        return
    needs = [item for item in items if item.get_closest_marker("browser")]
    if needs:
        items[:] = [item for item in items if item not in needs]
        config.hook.pytest_deselected(items=needs)
        config.stash[_WITHOUT] = len(needs)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not looked at."""
    count = terminalreporter.config.stash.get(_WITHOUT, 0)
    if count:
        terminalreporter.write_line(
            f"{count} tests need a browser and were left out: apt install chromium"
        )


def _descendants() -> Iterator[psutil.Process]:
    """Our own children, but for Python's helper that outlives a spawned pool on purpose."""
    for process in psutil.Process().children(recursive=True):
        try:
            if "multiprocessing.resource_tracker" not in " ".join(process.cmdline()):
                yield process
        except psutil.NoSuchProcess:
            continue


def _works_in(process: psutil.Process, folder: Path) -> bool:
    """Whether `process` works in `folder`, as our servers do: they are nobody's children."""
    try:
        return Path(process.cwd()).is_relative_to(folder)
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False


def _left_behind(folder: Path) -> list[psutil.Process]:
    servers = (p for p in psutil.process_iter() if _works_in(p, folder))
    return [p for p in {*_descendants(), *servers} if p.pid != os.getpid()]


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail the session when a process of it outlives it: the product promises to tidy up."""
    folder = tmp_path_factory.getbasetemp()
    yield
    psutil.wait_procs(_left_behind(folder), timeout=_GONE_WAIT_S)
    left = _left_behind(folder)
    names = [f"{process.pid} {' '.join(process.cmdline())[:200]}" for process in left]
    for process in left:
        process.kill()
    assert not names, "processes left behind:\n" + "\n".join(names)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """One embedded server for the session; the workers of pytest-xdist share it.

    It is as durable as the product's: nothing is switched off.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # each worker has a folder of its own inside the session's
    with embedded.running(folder / "postgres") as server:
        yield server


@pytest.fixture(scope="session")
def make_database(postgres: embedded.Server) -> Iterator[Callable[..., str]]:
    """Give a function that creates a database and returns its name; all are dropped at the end.

    `make_database("ledger")` is empty; `make_database("ledger", template=…)` is a copy.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    numbers = itertools.count(1)
    made: list[str] = []

    def make(name: str, *, template: str = "template0") -> str:
        unique = f"{name[:40]}_{worker}_{next(numbers)}"
        assert postgres.ensure_database(unique, template=template)
        made.append(unique)
        return unique

    yield make
    with postgres.connect("postgres", autocommit=True) as connection:
        for name in made:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def payouts_template(postgres: embedded.Server, make_database: Callable[..., str]) -> str:
    """Name of a migrated database without rows; copying it is faster than migrating again."""
    name = make_database("payouts_template")
    database = Database.from_args(postgres.connect_args(name))
    migrate.upgrade(database)
    database.dispose()
    return name


@pytest.fixture(scope="module")
def database(
    request: pytest.FixtureRequest,
    postgres: embedded.Server,
    make_database: Callable[..., str],
    payouts_template: str,
) -> Iterator[Database]:
    """A migrated database of the module's own."""
    module = request.module.__name__.rpartition(".")[2]
    name = make_database(module, template=payouts_template)
    database = Database.from_args(postgres.connect_args(name))
    yield database
    database.dispose()


@pytest.fixture(scope="module")
def desk(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Files into the module's database, and answers to their items."""
    from tests.desk import Desk  # noqa: PLC0415  only tests that load files need all of it

    return Desk(database, tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="session")
def sepa() -> Callable[..., str]:
    """A function that makes a CSV of good SEPA lines: `sepa(3, start=1, extra="…")`."""
    from tests.desk import german_iban  # noqa: PLC0415  the same

    def make(count: int, *, start: int = 1, prefix: str = "INV", extra: str = "") -> str:
        rows = [
            f"{prefix}-{n},Jonas Weber {n},DE,EUR,{10 + n}.50,sepa,{german_iban(n)}\n"
            for n in range(start, start + count)
        ]
        return "reference,name,country,currency,amount,method,account\n" + "".join(rows) + extra

    return make
