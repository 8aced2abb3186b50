"""What people decide: cancels, resolutions by two people, the start on a restored backup."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

from payouts.core.errors import InvariantError

revision = "0008"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables and guards; nothing that is there is judged."""
    script = files("payouts.store.migrations").joinpath("0008_people.sql").read_text("utf-8")
    # Straight to the driver and without parameters, so that `%` and `:` in the SQL are just text.
    raw = op.get_bind().connection.driver_connection
    if raw is None:
        raise InvariantError("the migration needs an open connection")
    raw.execute(script)
