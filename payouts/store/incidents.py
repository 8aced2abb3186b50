"""Incidents: what automation has seen and a person has to know, until somebody closes it.

The same code about the same subject is one open incident that counts, so that a platform that
repeats itself ten thousand times makes one line on the screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

__all__ = [
    "Incident",
    "close_incident",
    "incident_known",
    "open_about",
    "open_incidents",
    "open_subjects",
    "report_incident",
]


@dataclass(frozen=True, slots=True)
class Incident:
    """An open incident.

    Args:
        code: stable, `payouts explain CODE` says what to do.
        severity: 1 money is at risk now, 2 something waits for a person, 3 to be known.
        subject: public id (`itm_…`, `bat_…`) or name (a lane, a provider's id) it is about.
        detail: a sentence for a person; never an account number.
        times: how often it was seen.
    """

    id: int
    code: str
    severity: int
    subject: str
    detail: str
    times: int
    opened_at: datetime
    last_at: datetime


def report_incident(
    unit: Connection, *, code: str, severity: int, subject: str, detail: str
) -> None:
    """Open an incident, or count one that is open already."""
    unit.execute(
        text(
            "INSERT INTO incident (code, severity, subject, detail)"
            " VALUES (:code, :severity, :subject, :detail)"
            " ON CONFLICT (code, subject) WHERE closed_at IS NULL DO UPDATE"
            " SET times = incident.times + 1, last_at = payouts_now(), detail = excluded.detail,"
            " severity = least(incident.severity, excluded.severity)"
        ),
        {"code": code, "severity": severity, "subject": subject, "detail": detail},
    )


def incident_known(connection: Connection, *, code: str, subject: str) -> bool:
    """Whether there is, or ever was, such an incident."""
    return bool(
        connection.execute(
            text("SELECT EXISTS (SELECT FROM incident WHERE code = :code AND subject = :subject)"),
            {"code": code, "subject": subject},
        ).scalar_one()
    )


def open_incidents(connection: Connection, *, limit: int = 100) -> list[Incident]:
    """Open incidents, the gravest and newest first."""
    rows = connection.execute(
        text(
            "SELECT id, code, severity, subject, detail, times, opened_at, last_at FROM incident"
            " WHERE closed_at IS NULL ORDER BY severity, last_at DESC, id LIMIT :limit"
        ),
        {"limit": limit},
    )
    return [Incident(*row) for row in rows]


def open_about(connection: Connection, subjects: Sequence[str]) -> list[Incident]:
    """Open incidents about these subjects, the gravest first."""
    rows = connection.execute(
        text(
            "SELECT id, code, severity, subject, detail, times, opened_at, last_at FROM incident"
            " WHERE closed_at IS NULL AND subject = ANY(:subjects) ORDER BY severity, id"
        ),
        {"subjects": list(subjects)},
    )
    return [Incident(*row) for row in rows]


def open_subjects(connection: Connection, code: str) -> set[str]:
    """What open incidents of a code are about."""
    rows = connection.execute(
        text("SELECT subject FROM incident WHERE code = :code AND closed_at IS NULL"),
        {"code": code},
    )
    return set(rows.scalars())


def close_incident(unit: Connection, incident: int, *, actor: str) -> bool:
    """Close one; false where it is not open."""
    closed = unit.execute(
        text(
            "UPDATE incident SET closed_at = payouts_now(), closed_by = :actor"
            " WHERE id = :id AND closed_at IS NULL RETURNING id"
        ),
        {"id": incident, "actor": actor},
    )
    return closed.first() is not None
