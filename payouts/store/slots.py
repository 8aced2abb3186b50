"""Slots of schedules: claimed by inserting a row, so that each runs once, whoever rings (P19).

The states of a slot:

```
claimed    somebody runs it; as long as he lives he holds its advisory lock
done       files were loaded
empty      there was nothing new
failed     some file of it was refused, or something broke; its detail says what
missed     nobody was there when it was due, and a later slot took its place
```

A row `first` per pipeline, which is no slot, says since when somebody keeps the schedule.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from payouts.store.engine import Database

__all__ = [
    "SlotRow",
    "begin",
    "claim",
    "finish",
    "forget_empty",
    "held",
    "last",
    "latest",
    "miss",
    "open_runs",
    "seen",
    "unfinished",
]

_LOCKS = 0x51075


@dataclass(frozen=True, slots=True)
class SlotRow:
    """A slot and what became of it."""

    pipeline: str
    slot: str
    claimed_at: datetime
    state: str
    detail: str | None


def begin(unit: Connection, pipeline: str, now: datetime) -> datetime:
    """Since when this schedule is kept: from now on, if nobody kept it before."""
    unit.execute(
        text(
            "INSERT INTO schedule_slot (pipeline, slot, state, detail)"
            " VALUES (:pipeline, 'first', 'first', :now) ON CONFLICT DO NOTHING"
        ),
        {"pipeline": pipeline, "now": now.isoformat()},
    )
    found = unit.execute(
        text("SELECT detail FROM schedule_slot WHERE pipeline = :pipeline AND slot = 'first'"),
        {"pipeline": pipeline},
    )
    return datetime.fromisoformat(str(found.scalar_one()))


def last(connection: Connection, pipeline: str, until: str) -> str | None:
    """The last slot not after `until` that was claimed or missed."""
    found: str | None = connection.execute(
        text(
            'SELECT max(slot COLLATE "C") FROM schedule_slot WHERE pipeline = :pipeline'
            " AND state <> 'first' AND slot COLLATE \"C\" <= :until"
        ),
        {"pipeline": pipeline, "until": until},
    ).scalar_one()
    return found


def claim(unit: Connection, pipeline: str, slot: str) -> bool:
    """Take a slot; false where somebody has it. The primary key alone decides."""
    taken = unit.execute(
        text(
            "INSERT INTO schedule_slot (pipeline, slot) VALUES (:pipeline, :slot)"
            " ON CONFLICT DO NOTHING"
        ),
        {"pipeline": pipeline, "slot": slot},
    )
    return taken.rowcount == 1


def miss(unit: Connection, pipeline: str, slots: Sequence[str], detail: str) -> list[str]:
    """Record slots that nobody ran; gives those that were not recorded before."""
    rows = unit.execute(
        text(
            "INSERT INTO schedule_slot (pipeline, slot, state, detail)"
            " SELECT :pipeline, s, 'missed', :detail FROM unnest(CAST(:slots AS text[])) AS s"
            " ON CONFLICT DO NOTHING RETURNING slot"
        ),
        {"pipeline": pipeline, "slots": list(slots), "detail": detail},
    )
    return sorted(rows.scalars())


def finish(unit: Connection, pipeline: str, slot: str, state: str, detail: str) -> None:
    """Write what became of a claimed slot."""
    unit.execute(
        text(
            "UPDATE schedule_slot SET state = :state, detail = :detail"
            " WHERE pipeline = :pipeline AND slot = :slot AND state = 'claimed'"
        ),
        {"pipeline": pipeline, "slot": slot, "state": state, "detail": detail},
    )


def unfinished(connection: Connection, pipeline: str) -> list[str]:
    """Claimed slots, oldest first: somebody runs them, or died over them."""
    rows = connection.execute(
        text(
            "SELECT slot FROM schedule_slot WHERE pipeline = :pipeline AND state = 'claimed'"
            " ORDER BY slot"
        ),
        {"pipeline": pipeline},
    )
    return list(rows.scalars())


@contextmanager
def held(database: Database, pipeline: str, slot: str) -> Iterator[bool]:
    """Hold a claimed slot while it is run; false where it is over, or somebody alive holds it.

    The server drops the lock with the connection of a process that dies, so another one sees at
    once that the slot is to be finished. Running it twice pays nobody twice: lines are claimed too.
    """
    key = (_LOCKS, f"{pipeline}/{slot}")
    # A connection of its own: a slot may wait long for its files, and the pool is small.
    with psycopg.connect(database.conninfo(), autocommit=True) as connection:
        taken = connection.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", key).fetchone()
        # Looked at after the lock was taken: whoever had it may just have finished the slot.
        still = connection.execute(
            "SELECT 1 FROM schedule_slot WHERE pipeline = %s AND slot = %s AND state = 'claimed'",
            (pipeline, slot),
        ).fetchone()
        yield bool(taken and taken[0]) and still is not None


def latest(connection: Connection, pipeline: str, *, limit: int = 5) -> list[SlotRow]:
    """The latest slots of a pipeline, newest first."""
    rows = connection.execute(
        text(
            "SELECT pipeline, slot, claimed_at, state, detail FROM schedule_slot"
            " WHERE pipeline = :pipeline AND state <> 'first'"
            ' ORDER BY slot COLLATE "C" DESC LIMIT :limit'
        ),
        {"pipeline": pipeline, "limit": limit},
    )
    return [SlotRow(*row) for row in rows]


def forget_empty(unit: Connection, pipeline: str, *, keep: int = 1000) -> None:
    """Delete the oldest slots in which nothing was to be done, beyond the last `keep` ones.

    Only slots after the last one can fall due, so these rows decide nothing any more.
    """
    unit.execute(
        text(
            "DELETE FROM schedule_slot WHERE pipeline = :pipeline AND state = 'empty'"
            ' AND slot COLLATE "C" < (SELECT slot COLLATE "C" FROM schedule_slot'
            " WHERE pipeline = :pipeline AND state = 'empty'"
            ' ORDER BY slot COLLATE "C" DESC OFFSET :keep - 1 LIMIT 1)'
        ),
        {"pipeline": pipeline, "keep": keep},
    )


def seen(connection: Connection, payer: str, pipeline: str, sha256: str) -> bool:
    """Whether these bytes need no look: a line of them was accepted, or a slot had them before."""
    return bool(
        connection.execute(
            text(
                "SELECT EXISTS (SELECT FROM pipeline_run r JOIN payer p ON p.id = r.payer_id"
                " WHERE p.name = :payer AND r.source_sha256 = :sha AND (r.counts ? 'accepted'"
                " OR (r.pipeline = :pipeline AND r.slot IS NOT NULL)))"
            ),
            {"payer": payer, "pipeline": pipeline, "sha": sha256},
        ).scalar_one()
    )


def open_runs(connection: Connection) -> list[int]:
    """Keys of the runs of schedules that are not closed, oldest first."""
    rows = connection.execute(
        text(
            "SELECT id FROM pipeline_run WHERE closed_at IS NULL AND slot IS NOT NULL"
            " AND counts ? 'accepted' ORDER BY id"
        )
    )
    return list(rows.scalars())
