"""Migrations, run by ourselves: Alembic configured in code, one migrator at a time."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

if TYPE_CHECKING:
    from payouts.store.engine import Database

__all__ = ["current", "head", "upgrade"]

_LOCK = 7_024_611_001  # any constant of ours; every migrator takes the same advisory lock


def _script() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(files("payouts.store").joinpath("migrations")))
    return ScriptDirectory.from_config(config)


def head() -> str:
    """The revision that this version of the program needs."""
    return _script().get_current_head() or ""


def current(database: Database) -> str:
    """The revision of the database; empty where it was never migrated."""
    with database.reading() as connection:
        if connection.scalar(text("SELECT to_regclass('public.alembic_version')")) is None:
            return ""
        return connection.scalar(text("SELECT version_num FROM alembic_version")) or ""


def upgrade(database: Database) -> str:
    """Bring the database to `head()` in one transaction; returns the revision it had before."""
    before = current(database)
    if before == head():
        return before
    script = _script()
    with database.unit() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        context = EnvironmentContext(
            script.get_base_config() if hasattr(script, "get_base_config") else Config(),
            script,
            fn=lambda revision, _context: script._upgrade_revs(head(), revision),  # noqa: SLF001  Alembic's own env.py hands `fn` over like this
        )
        context.configure(connection=connection, transactional_ddl=True)
        with context:
            context.run_migrations()
    return before
