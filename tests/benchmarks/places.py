"""Places: the database and the project that a way works with, and fresh eyes for what came of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy import create_engine

from payouts.local import sandbox_running
from payouts.settings import load_settings
from payouts.wiring import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sqlalchemy import Engine

    from payouts.wiring import Parts
    from tests.benchmarks.ways import Place

__all__ = ["connected", "engine", "project", "sandbox", "seen", "url"]


def url(place: Place) -> str:
    """The database as people write it."""
    at = place.database
    return f"postgresql://{at['user']}@/{at['dbname']}?host={at['host']}&port={at['port']}"


def engine(place: Place) -> Engine:
    """An engine of SQLAlchemy as a script would make it."""
    return create_engine(url(place).replace("postgresql:", "postgresql+psycopg:", 1))


def connected(place: Place) -> psycopg.Connection[tuple[Any, ...]]:
    """A fresh connection."""
    return psycopg.connect(psycopg.conninfo.make_conninfo(**place.database))


def seen(place: Place, statement: str) -> tuple[Any, ...]:
    """The one row of a query, from a fresh connection."""
    with connected(place) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row or ()


@contextmanager
def project(place: Place, settings: str = "", *, platforms: bool = False) -> Iterator[Parts]:
    """A project of our own on the place's database, its sandbox settling at once."""
    place.own.mkdir(parents=True, exist_ok=True)
    (place.own / "payouts.toml").write_text(
        f'payer = "bench"\n{settings}\n[database]\nurl = "{url(place)}"\n'
        '[sandbox]\nspeed = "instant"\nopening = 1_000_000_000_000\n'
    )
    with opened(load_settings(place.own), platforms=platforms) as parts:
        yield parts


@contextmanager
def sandbox(place: Place) -> Iterator[str]:
    """A sandbox that settles at once, without a project; gives its base URL."""
    place.own.mkdir(parents=True, exist_ok=True)
    with sandbox_running(place.own / ".payouts" / "sandbox", speed="instant") as base:
        yield base
