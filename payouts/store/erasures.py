"""Keys of account data that are kept elsewhere, and those that were deleted there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

__all__ = ["erasable", "note_erased"]


def erasable(connection: Connection, before: datetime) -> list[tuple[str, int]]:
    """(token, run) of runs that were closed before an instant, and whose key is still kept.

    A run that pays again what one of these did not pay has payloads of its own.
    """
    rows = connection.execute(
        text(
            "SELECT DISTINCT split_part(p.key_id, '@', 2), r.id FROM pipeline_run r"
            " JOIN batch b ON b.run_id = r.id JOIN batch_payload p ON p.batch_id = b.id"
            " WHERE r.closed_at < :before AND strpos(p.key_id, '@') > 0 AND NOT EXISTS"
            " (SELECT FROM erasure e WHERE e.token = split_part(p.key_id, '@', 2))"
            " ORDER BY 2, 1"
        ),
        {"before": before},
    )
    return [(str(token), int(run)) for token, run in rows]


def note_erased(unit: Connection, token: str, run: int, *, actor: str) -> None:
    """Remember that a key is gone; once is enough."""
    unit.execute(
        text(
            "INSERT INTO erasure (token, run_id, actor) VALUES (:token, :run, :actor)"
            " ON CONFLICT DO NOTHING"
        ),
        {"token": token, "run": run, "actor": actor},
    )
