"""The database as the flows see it: connections, units of work, one posting number per unit.

A unit of work is one connection and one transaction. There is no session cache and no lazy
loading on a path that carries items: SQL is set-based and goes through `bulk` and `queries`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from payouts.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Database", "driver", "lost", "passing"]

_PASSING = frozenset({"40001", "40P01", "55P03"})
"""Serialisation failure, deadlock, lock not available: done again, it goes through."""

_ENDED = frozenset({"57P01", "57P02", "57P03"})
"""The server ended the session, crashed, or is starting."""

_OPTIONS = "-c search_path=public,queue -c client_min_messages=warning -c timezone=UTC"


class Database:
    """One PostgreSQL database.

    Args:
        url: an SQLAlchemy URL with the driver `postgresql+psycopg`.
    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self.engine = create_engine(
            url,
            poolclass=QueuePool,
            hide_parameters=True,  # no value of a statement stands in an error or a traceback (P24)
            pool_pre_ping=True,  # what a restarted server has closed is not handed out
            pool_size=4,
            max_overflow=28,  # each lane that is worked keeps one, beside what a command reads
            connect_args={"options": _OPTIONS, "connect_timeout": 10, "prepare_threshold": 3},
        )

    @classmethod
    def from_args(cls, args: Mapping[str, str]) -> Database:
        """From libpq keywords (`host`, `port`, `user`, `dbname`), as the embedded server gives."""
        return cls(
            URL.create(
                "postgresql+psycopg",
                username=args.get("user"),
                database=args.get("dbname"),
                query={"host": args["host"], "port": args["port"]},
            )
        )

    @classmethod
    def from_url(cls, url: str) -> Database:
        """From a user's URL; `postgres://`, `postgresql://` and SQLAlchemy's own form all do."""
        parsed = make_url(url.replace("postgres://", "postgresql://", 1))
        if parsed.get_backend_name() != "postgresql":
            raise SettingsError(
                f"the database URL names '{parsed.get_backend_name()}', not PostgreSQL",
                hint="Give postgresql://user@host/database, or leave it out for the embedded one.",
            )
        return cls(parsed.set(drivername="postgresql+psycopg"))

    def conninfo(self) -> str:
        """The same database for libpq (the queue's own connections)."""
        parts = {
            "user": self.url.username,
            "password": self.url.password,
            "host": self.url.host,
            "port": self.url.port,
            "dbname": self.url.database,
            "options": _OPTIONS,
            **self.url.query,
        }
        return psycopg.conninfo.make_conninfo(
            "", **{key: str(value) for key, value in parts.items() if value is not None}
        )

    @contextmanager
    def unit(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back on any exception."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading only; nothing it does is kept."""
        with self.engine.connect() as connection:
            yield connection
            connection.rollback()

    def require_durable(self) -> None:
        """Refuse a server that may forget what it acknowledged (P17).

        Raises:
            SettingsError: `fsync`, `full_page_writes` or `synchronous_commit` is off.
        """
        with self.reading() as connection:
            off = [
                name
                for name in ("fsync", "full_page_writes", "synchronous_commit")
                if connection.scalar(text("SELECT current_setting(:name)"), {"name": name}) == "off"
            ]
        if off:
            raise SettingsError(
                f"this PostgreSQL runs with {' and '.join(off)} off: a crash may forget payments",
                hint="Switch it on, or set database.allow_unsafe = true for throw-away data.",
                code="E_DATABASE_UNSAFE",
            )

    def dispose(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()


def driver(connection: Connection) -> psycopg.Connection[tuple[object, ...]]:
    """The psycopg connection below, for COPY and for the queue."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, psycopg.Connection):
        raise SettingsError("the store speaks to PostgreSQL through psycopg 3 only")
    return raw


def lost(error: DBAPIError | psycopg.Error) -> bool:
    """Whether the connection is gone: the server was stopped, crashed, or cannot be reached."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        if not isinstance(error.orig, psycopg.Error):
            return False
        error = error.orig
    state = error.sqlstate
    if state is None:
        return isinstance(error, psycopg.OperationalError)
    return state in _ENDED or state.startswith("08")


def passing(error: DBAPIError | psycopg.Error) -> bool:
    """Whether the same transaction may well go through when it is done again."""
    below = error.orig if isinstance(error, DBAPIError) else error
    return lost(error) or getattr(below, "sqlstate", None) in _PASSING
