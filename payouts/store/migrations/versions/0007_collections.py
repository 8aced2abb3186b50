"""Collections: money that somebody is asked to pay in."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

from payouts.core.errors import InvariantError

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the tables with their guards."""
    script = files("payouts.store.migrations").joinpath("0007_collections.sql").read_text("utf-8")
    # Straight to the driver and without parameters, so that `%` and `:` in the SQL are just text.
    raw = op.get_bind().connection.driver_connection
    if raw is None:
        raise InvariantError("the migration needs an open connection")
    raw.execute(script)
