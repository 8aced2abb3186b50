"""Counts of sends by kind, the account that an attempt was sent with, and looks by due time."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

from payouts.core.errors import InvariantError

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add columns with their defaults; nothing that is there is judged anew."""
    script = files("payouts.store.migrations").joinpath("0005_engine.sql").read_text("utf-8")
    # Straight to the driver and without parameters, so that `%` and `:` in the SQL are just text.
    raw = op.get_bind().connection.driver_connection
    if raw is None:
        raise InvariantError("the migration needs an open connection")
    raw.execute(script)
