"""The first shape: tables, the guard of every move, and the queue's own schema."""

from __future__ import annotations

from importlib.resources import files

from alembic import op
from procrastinate.schema import SchemaManager

from payouts.core.errors import InvariantError

revision = "0001"
down_revision = None

# Frozen: what `payouts.core.items.MOVES` was at this revision; a later change is a new migration.
_MOVES = """
pending approved funding reserved -c--
pending cancelled - - -c--
pending expired - - -c--
approved cancelled reserved funding -c--
approved expired reserved funding -c--
approved sending reserved in_transit -c--
sending processing - - e---
sending settled in_transit paid e---
sending failed in_transit funding ec--
sending approved in_transit reserved -c--
sending unknown - - --o-
approved unknown reserved in_transit --o-
unknown sending - - --o-
unknown processing - - e---
unknown settled in_transit paid e---
unknown failed in_transit funding e---
unknown review - - --o-
processing settled in_transit paid e---
processing failed in_transit funding e---
processing cancelled in_transit funding e---
processing review - - ----
review processing - - e---
review settled in_transit paid e---
review failed in_transit funding e---
review approved in_transit reserved e---
settled reconciled - - e---
settled returned paid funding e--s
reconciled returned paid funding e--s
failed settled funding paid e--s
cancelled settled funding paid e--s
expired settled funding paid e--s
"""


def _values() -> str:
    rows = []
    for row in _MOVES.split("\n"):
        if not row:
            continue
        before, after, credit, debit, flags = row.split()
        roles = ", ".join("NULL" if role == "-" else f"'{role}'" for role in (credit, debit))
        marks = ", ".join(str(flag != "-").lower() for flag in flags)
        rows.append(f"  ('{before}', '{after}', {roles}, {marks})")
    return ",\n".join(rows)


def upgrade() -> None:
    """Create everything."""
    script = files("payouts.store.migrations").joinpath("0001_first.sql").read_text("utf-8")
    # Straight to the driver and without parameters, so that `%` and `:` in the SQL are just text.
    raw = op.get_bind().connection.driver_connection
    if raw is None:
        raise InvariantError("the migration needs an open connection")
    run = raw.execute
    run(script.replace("/*moves*/", _values()))
    run("CREATE SCHEMA IF NOT EXISTS queue")
    run("SET LOCAL search_path TO queue")
    run(SchemaManager.get_schema())
    run("SET LOCAL search_path TO public, queue")
