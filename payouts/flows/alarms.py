"""Alarms of a lane: a sentence for whoever looks on now, and an incident that stays for the rest.

The incident is part of the turn's transaction. A turn that the database broke off is done again,
so its sentences are taken back first (`mark`, `back_to`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from payouts.store import lanes
from payouts.store.incidents import report_incident

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Alarms"]


@dataclass(slots=True)
class Alarms:
    """What a lane has to tell.

    Args:
        said: sentences for the operator, collected.
    """

    provider: str
    funding: str
    said: list[str] = field(default_factory=list)

    @property
    def lane(self) -> str:
        """The lane as the subject of an incident."""
        return f"{self.provider}/{self.funding}"

    def tell(
        self, unit: Connection, code: str, sentence: str, *, severity: int, subject: str = ""
    ) -> None:
        """Say a sentence and open, or count, its incident.

        Args:
            subject: public id of what it is about; empty for the lane.
        """
        self.said.append(sentence)
        report_incident(
            unit, code=code, severity=severity, subject=subject or self.lane, detail=sentence
        )

    def pause(self, unit: Connection, reason: str) -> None:
        """Pause the lane; nobody is failed. What paused it first is kept as the incident."""
        lanes.pause(unit, self.provider, self.funding, reason)
        report_incident(
            unit,
            code="E_LANE_PAUSED",
            severity=2,
            subject=self.lane,
            detail=f"nothing more is sent: {reason}",
        )

    def mark(self) -> int:
        """Where the sentences stand."""
        return len(self.said)

    def back_to(self, mark: int) -> None:
        """Take back what was said since."""
        del self.said[mark:]
