"""Guards of what the first shape left open: beginnings, removals, attempts, grounds of a move."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

from payouts.core.errors import InvariantError

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the triggers; they refuse from here on and judge nothing that is there."""
    script = files("payouts.store.migrations").joinpath("0003_guards.sql").read_text("utf-8")
    # Straight to the driver and without parameters, so that `%` and `:` in the SQL are just text.
    raw = op.get_bind().connection.driver_connection
    if raw is None:
        raise InvariantError("the migration needs an open connection")
    raw.execute(script)
