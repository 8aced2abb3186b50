"""The generation: numbers in the database and in files beside it, by which an older copy is known.

The database's is committed first, so a file is never ahead of a database that goes on; a database
that is behind its files is an older copy (P22). Two numbers tell:

* the generation, raised at each opening and every few seconds while something is sent; its file is
  on disk before anything goes on;
* the fence of the latest attempt, which rises with everything that is sent; its file is written
  after the attempt's commit and before its request may leave, and survives the process, but not
  always the power.

The files name their database, so that those of another installation say nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

__all__ = [
    "Mark",
    "OpenRestoration",
    "blocking",
    "confirm_first",
    "confirm_second",
    "known_until",
    "last_fence",
    "lock",
    "move_approved",
    "open_restoration",
    "open_restorations",
    "raise_fence",
    "raise_to",
    "read_fence",
    "read_mark",
    "used",
    "used_providers",
    "write_fence",
    "write_mark",
]


class Mark(NamedTuple):
    """What the file says."""

    database_id: str
    generation: int


def read_mark(path: Path) -> Mark | None:
    """The file's mark; none where there is no file, or none that can be read."""
    try:
        found = json.loads(path.read_text("utf-8"))
        return Mark(str(found["database"]), int(found["generation"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write_mark(path: Path, mark: Mark) -> None:
    """Put a mark on disk, whole or not at all; an older one never replaces a newer one."""
    with _alone(path):
        there = read_mark(path)
        if there is not None and there.database_id == mark.database_id:
            mark = max(mark, there)
        unfinished = path.with_suffix(".part")
        with unfinished.open("w", encoding="utf-8") as file:
            json.dump({"database": mark.database_id, "generation": mark.generation}, file)
            file.flush()
            os.fsync(file.fileno())
        _give(unfinished)
        unfinished.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # else the rename may be forgotten with the power
        finally:
            os.close(folder)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    lock = path.with_suffix(".lock")
    with lock.open("w") as held:
        _give(lock)
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _give(path: Path) -> None:
    """Give what root makes to the owner of the folder, who is locked out otherwise."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def read_fence(path: Path, database_id: str) -> int:
    """The latest fence that was used from here with this database; 0 where none is known."""
    try:
        database, fence = path.read_text("utf-8").split()
        return int(fence) if database == database_id else 0
    except (FileNotFoundError, ValueError):
        return 0


def write_fence(path: Path, database_id: str, fence: int) -> None:
    """Keep a fence, unless a later one is there; in one write of one size, without a sync."""
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if read_fence(path, database_id) < fence:
            file.truncate(0)
            file.write(f"{database_id} {fence}\n".encode())
            _give(path)


# -- the database's ------------------------------------------------------------------------------------


def lock(unit: Connection) -> int:
    """The database's generation, locked for this unit."""
    statement = text("SELECT generation FROM installation FOR UPDATE")
    return int(unit.execute(statement).scalar_one())


def raise_to(unit: Connection, at_least: int) -> int:
    """Raise the generation by one, and to `at_least` where that is more; returns it."""
    raised = unit.execute(
        text(
            "UPDATE installation SET generation = greatest(generation + 1, :least)"
            " RETURNING generation"
        ),
        {"least": at_least},
    )
    return int(raised.scalar_one())


def used(connection: Connection) -> bool:
    """Whether anything was ever loaded here."""
    return bool(connection.execute(text("SELECT EXISTS (SELECT FROM batch)")).scalar_one())


def used_providers(connection: Connection) -> set[str]:
    """Providers that anything was ever to be sent to."""
    return set(connection.execute(text("SELECT DISTINCT provider FROM batch")).scalars())


def last_fence(connection: Connection) -> int:
    """The fence of the latest attempt; it rises with everything that is sent."""
    statement = text("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM fence_seq")
    return int(connection.execute(statement).scalar_one())


def raise_fence(unit: Connection, at_least: int) -> None:
    """Let the next fence be above `at_least`: a void one must never be given again (P20)."""
    unit.execute(
        text("SELECT setval('fence_seq', :least) FROM fence_seq WHERE last_value < :least"),
        {"least": at_least},
    )


def known_until(connection: Connection) -> datetime:
    """The last moment that the database knows of: what came after it is not in this copy."""
    value: datetime = connection.execute(
        text(
            "SELECT greatest((SELECT max(created_at) FROM installation),"
            " (SELECT max(created_at) FROM pipeline_run), (SELECT max(at) FROM batch_event),"
            " (SELECT max(at) FROM item_event), (SELECT max(opened_at) FROM attempt),"
            " (SELECT max(closed_at) FROM attempt), (SELECT max(at) FROM evidence))"
        )
    ).scalar_one()
    return value


# -- what follows from an older copy ---------------------------------------------------------------------


def move_approved(
    unit: Connection,
    provider: str,
    *,
    posting: int,
    actor: str,
    since: datetime,
    resend_s: float | None,
) -> tuple[list[int], int]:
    """Approved items that may have been sent become unclear; (batches, items). Locks the batches.

    What is due later and was never tried cannot have been sent, and stays.

    Args:
        since: when it may first have been sent; the move is dated so, since a key's life runs
            from there.
        resend_s: seconds until they may be sent again under their key; none where never.
    """
    batches = list(
        unit.execute(
            text(
                "SELECT b.id FROM batch b WHERE b.provider = :provider AND EXISTS (SELECT"
                " FROM batch_count c WHERE c.batch_id = b.id AND c.state = 'approved'"
                " AND c.items > 0) AND NOT (b.tries = 0 AND NOT b.split"
                " AND coalesce(b.send_at > payouts_now(), false)) ORDER BY b.id FOR UPDATE"
            ),
            {"provider": provider},
        ).scalars()
    )
    values = {
        "ids": batches,
        "actor": actor,
        "posting": posting,
        "since": since,
        "resend": resend_s,
    }
    whole = unit.execute(
        text(
            "WITH moved AS (INSERT INTO batch_event (batch_id, seq, before, after, clouded, actor,"
            " posting, code, due_at, at) SELECT b.id, b.base_seq + 1, 'approved', 'unknown', true,"
            " :actor, :posting, 'restored_backup', payouts_now()"
            " + make_interval(secs => CAST(:resend AS float8)), :since FROM batch b"
            " WHERE b.id = ANY(:ids) AND NOT b.split AND b.base_state = 'approved' ORDER BY b.id"
            " RETURNING batch_id) SELECT coalesce(sum(b.items), 0)::bigint FROM batch b"
            " WHERE b.id IN (SELECT batch_id FROM moved)"
        ),
        values,
    ).scalar_one()
    single = unit.execute(
        text(
            "INSERT INTO item_event (item_id, batch_id, posting, before, after, seq, tries,"
            " clouded, actor, code, due_at, at) SELECT n.id, n.batch_id, :posting, 'approved',"
            " 'unknown', n.seq + 1, n.tries, true, :actor, 'restored_backup', payouts_now()"
            " + make_interval(secs => CAST(:resend AS float8)), :since FROM item_now n"
            " JOIN batch b ON b.id = n.batch_id AND b.split"
            " WHERE n.batch_id = ANY(:ids) AND n.state = 'approved' ORDER BY n.id"
        ),
        values,
    ).rowcount
    return batches, int(whole) + single


class OpenRestoration(NamedTuple):
    """A restoration that two people have not confirmed.

    Args:
        allowed_until: sends go on until then; none where they wait already.
        first_actor: who confirmed first.
    """

    id: int
    provider: str
    since: datetime
    allowed_until: datetime | None
    noticed_at: datetime
    first_actor: str | None


def open_restoration(
    unit: Connection,
    provider: str,
    *,
    generation: int,
    expected: int,
    since: datetime,
    life_s: float | None,
) -> None:
    """Write that a provider's payments since then may be unknown to this database.

    Args:
        life_s: how long after `since` the provider is sure to know our keys; none for never.
    """
    unit.execute(
        text(
            "INSERT INTO restoration (provider, generation, expected, since, allowed_until)"
            " VALUES (:provider, :generation, :expected, :since,"
            " CAST(:since AS timestamptz) + make_interval(secs => CAST(:life AS float8)))"
        ),
        {
            "provider": provider,
            "generation": generation,
            "expected": expected,
            "since": since,
            "life": life_s,
        },
    )


def open_restorations(connection: Connection, provider: str | None = None) -> list[OpenRestoration]:
    """Restorations that are not confirmed, of one provider or all."""
    rows = connection.execute(
        text(
            "SELECT id, provider, since, allowed_until, noticed_at, first_actor FROM restoration"
            " WHERE second_at IS NULL AND (CAST(:provider AS text) IS NULL"
            " OR provider = :provider) ORDER BY provider, id"
        ),
        {"provider": provider},
    )
    return [OpenRestoration(*row) for row in rows]


def blocking(connection: Connection) -> set[str]:
    """Providers that nothing is sent to until two people confirm."""
    return set(connection.execute(text("SELECT provider FROM restoration_blocks")).scalars())


def confirm_first(unit: Connection, provider: str, *, actor: str, reason: str) -> int:
    """The first person's word on the restorations that have none; returns how many those were."""
    begun = unit.execute(
        text(
            "UPDATE restoration SET first_actor = :actor, first_reason = :reason,"
            " first_at = payouts_now() WHERE provider = :provider AND first_at IS NULL"
        ),
        {"provider": provider, "actor": actor, "reason": reason},
    )
    return begun.rowcount


def confirm_second(unit: Connection, provider: str, *, actor: str, reason: str) -> int:
    """The second person's word where the first was another's; returns how many ended by it."""
    ended = unit.execute(
        text(
            "UPDATE restoration SET second_actor = :actor, second_reason = :reason,"
            " second_at = payouts_now() WHERE provider = :provider AND second_at IS NULL"
            " AND lower(first_actor) <> lower(:actor)"
        ),
        {"provider": provider, "actor": actor, "reason": reason},
    )
    return ended.rowcount
