"""What needs a person, or soon happens by itself: incidents, holds, paused lanes, schedules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from payouts.cli import frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from payouts.scheduler import Calendar
    from payouts.store.incidents import Incident
    from payouts.store.queries import HoldRow, PausedRow
    from payouts.wiring import Parts

__all__ = ["Attention", "incident_table", "incident_values", "look"]

_SHOWN_MAX = 10


@dataclass(frozen=True, slots=True)
class Attention:
    """Everything of an installation that waits, or has a time."""

    incidents: Sequence[Incident]
    holds: Sequence[HoldRow]
    paused: Sequence[PausedRow]
    calendar: Sequence[Calendar]

    def lines(self) -> list[str]:
        """For people; nothing where nothing waits and nothing is scheduled."""
        shown: list[str] = []
        for title, part in (
            ("Incidents", incident_table(self.incidents[:_SHOWN_MAX])),
            ("Holds", _hold_table(self.holds[:_SHOWN_MAX])),
            ("Paused lanes", _lane_table(self.paused)),
            ("Schedules (kept by `payouts serve`)", _calendar_table(self.calendar)),
        ):
            if part:
                shown += [title, *(f"  {line}" for line in part)]
        return shown

    def values(self) -> dict[str, Any]:
        """For programs."""
        return {
            "incidents": [incident_values(one) for one in self.incidents],
            "holds": [_hold_values(one) for one in self.holds],
            "paused_lanes": [
                {
                    "provider": one.provider,
                    "funding": one.funding,
                    "paused_at": one.paused_at,
                    "reason": one.reason,
                }
                for one in self.paused
            ],
            "schedules": [
                {
                    "pipeline": one.pipeline.name,
                    "schedule": one.pipeline.schedule,
                    "timezone": one.pipeline.timezone,
                    "next_slot": one.next_slot,
                    "next_at": one.next_at,
                    "recent": [
                        {"slot": row.slot, "state": row.state, "detail": row.detail}
                        for row in one.recent
                    ],
                }
                for one in self.calendar
            ],
        }


def look(parts: Parts) -> Attention:
    """Read it all."""
    from datetime import UTC, datetime  # noqa: PLC0415  bodies import what they need

    from payouts.discover import find_pipelines  # noqa: PLC0415  the same
    from payouts.scheduler import calendar  # noqa: PLC0415  the same
    from payouts.store import incidents, queries  # noqa: PLC0415  the same

    pipelines = find_pipelines(parts.project)
    found = calendar(parts.database, pipelines, now=datetime.now(UTC), recent=1)
    with parts.database.reading() as unit:
        return Attention(
            incidents.open_incidents(unit),
            queries.open_holds(unit),
            queries.paused_lanes(unit),
            found,
        )


def incident_table(incidents: Sequence[Incident]) -> list[str]:
    """One line per incident, below a header."""
    rows = [
        (
            str(one.id),
            str(one.severity),
            one.code,
            one.subject,
            f"{one.times:,} times" if one.times > 1 else "once",
            f"{one.last_at:%m-%d %H:%M}",
            one.detail,
        )
        for one in incidents
    ]
    headers = ("id", "sev", "code", "about", "seen", "last (UTC)", "what")
    return frame.table(headers, rows, right=[0]) if rows else []


def incident_values(one: Incident) -> dict[str, Any]:
    """An incident for programs."""
    return {
        "id": one.id,
        "severity": one.severity,
        "code": one.code,
        "subject": one.subject,
        "detail": one.detail,
        "times": one.times,
        "opened_at": one.opened_at,
        "last_at": one.last_at,
    }


def _hold_table(holds: Sequence[HoldRow]) -> list[str]:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need

    rows = [
        (
            public_id("run", one.run_id) if one.item_id is None else public_id("itm", one.item_id),
            one.reason,
            f"{one.opened_at:%m-%d %H:%M}",
            one.opened_by,
            one.detail,
        )
        for one in holds
    ]
    headers = ("what", "held for", "since (UTC)", "by", "detail")
    return frame.table(headers, rows) if rows else []


def _lane_table(lanes: Sequence[PausedRow]) -> list[str]:
    from payouts.flows.explain import meaning  # noqa: PLC0415  bodies import what they need

    rows = [
        (f"{one.provider}/{one.funding}", f"{one.paused_at:%m-%d %H:%M}", meaning(one.reason))
        for one in lanes
    ]
    return frame.table(("lane", "since (UTC)", "why"), rows) if rows else []


def _calendar_table(calendar: Sequence[Calendar]) -> list[str]:
    rows = []
    for one in calendar:
        last = next(iter(one.recent), None)
        rows.append(
            (
                one.pipeline.name,
                f"{one.next_slot.replace('T', ' ')} {one.pipeline.timezone}",
                f"{last.slot.replace('T', ' ')}, {last.state}" if last else "never",
            )
        )
    return frame.table(("pipeline", "next", "last"), rows) if rows else []


def _hold_values(one: HoldRow) -> dict[str, Any]:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need

    return {
        "run": public_id("run", one.run_id),
        "item": None if one.item_id is None else public_id("itm", one.item_id),
        "reason": one.reason,
        "detail": one.detail,
        "opened_at": one.opened_at,
        "opened_by": one.opened_by,
    }
