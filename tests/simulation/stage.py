"""The stage: one database for many schedules, whose clock a schedule moves.

`payouts_now()` obeys a session setting for the role `payouts_simulation` alone, so the simulation
connects as that role and sets it at the begin of each transaction. Sessions are used again: what a
session's end does to others (a rollback, its advisory locks) is done when one is closed.
"""

from __future__ import annotations

import logging
import select
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import NullPool

from payouts.store import migrate
from payouts.store.engine import Database
from tests.simulation.virtual import BEGIN, WORKER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from payouts.store import embedded

__all__ = ["ROLE", "Stage", "prepared"]

ROLE = "payouts_simulation"

_MAKE_ROLE = """
DO $$ BEGIN
  CREATE ROLE payouts_simulation LOGIN SUPERUSER;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
"""


class _Session(psycopg.Connection[Any]):
    """A session that is used again after its end."""

    stage: Stage | None = None
    used: bool = False
    times: int = 0
    shown: datetime | None = None

    def rollback(self) -> None:
        """A setting of a transaction that is undone is undone with it."""
        self.shown = None
        super().rollback()

    def lives(self) -> bool:
        """Whether the server has said nothing unasked, which is how it says farewell."""
        return not self.closed and not select.select([self.fileno()], [], [], 0)[0]

    def end_of(self, times: int) -> None:
        """End the session for who has it for the `times`-th time, unless it was given back."""
        if self.used and self.times == times:
            self.end()

    def close(self) -> None:
        """End what the session holds, and keep it for the next."""
        if self.stage is None or self.closed or not self.end():
            super().close()
        elif self.used:
            self.used = False
            self.stage.free.append(self)

    def end(self) -> bool:
        """What the server does for a session that ends; false where it has ended by itself."""
        try:
            self.rollback()
            self.execute("SELECT pg_advisory_unlock_all()")
            self.commit()
        except psycopg.Error:
            return False
        return True


class Stage(Database):
    """A database as the flows see it, with a clock of the schedule's own.

    Args:
        conninfo: of the role `payouts_simulation`.
    """

    def __init__(self, conninfo: str) -> None:
        self.free: list[_Session] = []
        self.clock: Callable[[], datetime] = lambda: BEGIN
        self._where = conninfo
        self.engine = create_engine(
            "postgresql+psycopg://", creator=self._session, poolclass=NullPool
        )
        event.listen(self.engine, "begin", self._set_clock)
        # A session that the server has ended cannot be reset; SQLAlchemy would print each of them.
        logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)

    def _session(self) -> _Session:
        session = self._free() or _Session.connect(self._where, prepare_threshold=2)
        session.stage = self
        session.used = True
        session.times += 1
        worker = WORKER.get()
        if worker is not None:
            worker.closing.append(partial(session.end_of, session.times))
        return session

    def _free(self) -> _Session | None:
        """A session that is free and lives."""
        while self.free:
            session = self.free.pop()
            if session.lives():
                return session
            session.stage = None
            session.close()
        return None

    def _set_clock(self, connection: Connection) -> None:
        raw = connection.connection.driver_connection
        assert isinstance(raw, _Session)
        now = self.clock()
        if raw.shown == now:
            return
        # Where the session is gone, the statement that follows says so through SQLAlchemy.
        with suppress(psycopg.Error):
            raw.execute("SELECT set_config('payouts.now', %s, false)", [now.isoformat()])
            raw.shown = now

    def cut_off(self) -> None:
        """End all sessions of this database, as a restart of the server does."""
        for session in self.free:
            session.stage = None
            session.close()
        self.free.clear()
        with psycopg.connect(self._where, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    def conninfo(self) -> str:
        """For libpq."""
        return self._where

    def dispose(self) -> None:
        """Close all sessions."""
        super().dispose()
        for session in self.free:
            session.stage = None
            session.close()
        self.free.clear()


@contextmanager
def prepared(server: embedded.Server, name: str) -> Iterator[Stage]:
    """A migrated database for schedules, dropped at the end."""
    with server.connect("postgres", autocommit=True) as connection:
        connection.execute(_MAKE_ROLE)
    assert server.ensure_database(name)
    try:
        made = Database.from_args(server.connect_args(name))
        migrate.upgrade(made)
        made.dispose()
        # Durability is proven elsewhere; here no machine dies.
        options = (
            "-c search_path=public,queue -c timezone=UTC -c synchronous_commit=off -c jit=off"
            " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off"
        )
        args = server.connect_args(name) | {"user": ROLE, "options": options}
        stage = Stage(psycopg.conninfo.make_conninfo("", **args))
        try:
            yield stage
        finally:
            stage.dispose()
    finally:
        with server.connect("postgres", autocommit=True) as connection:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(name)))
