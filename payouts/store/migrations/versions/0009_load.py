"""What a load writes is whole, and lines are identified as the installation began to."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

from payouts.core.errors import InvariantError

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add a column with its default, and triggers that judge nothing that is there."""
    script = files("payouts.store.migrations").joinpath("0009_load.sql").read_text("utf-8")
    # Straight to the driver and without parameters, so that `%` and `:` in the SQL are just text.
    raw = op.get_bind().connection.driver_connection
    if raw is None:
        raise InvariantError("the migration needs an open connection")
    raw.execute(script)
