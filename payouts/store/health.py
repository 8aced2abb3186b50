"""Health: what an operator wants to know of the database and of what is stuck in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from payouts.store.lanes import LANE_LOCKS, WORKER_LOCKS

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

__all__ = ["Health", "Stuck", "health"]


@dataclass(frozen=True, slots=True)
class Stuck:
    """Open items of one provider and state in runs that are not closed."""

    provider: str
    state: str
    items: int


@dataclass(frozen=True, slots=True)
class Health:
    """What was found.

    Args:
        version: of the server, as it names itself.
        settings: of durability, as they are now: name -> value.
        bytes: of the database on disk.
        now: the server's clock.
        moved_clock: somebody set the clock that our SQL reads (the simulation only).
        prints: fingerprints of install key and vault key that the database is bound to.
        workers: sessions that hold a worker's lock.
        lanes_worked: lanes that a session works now.
        jobs: of the queue, by status.
        long_transactions: older than five minutes, and not ours.
        orphans: attempts that are open without a living worker.
        stuck: open items by provider and state.
        paused: lanes that are paused, with the reason.
        holds: open holds.
        open_runs: runs that are not closed.
    """

    version: str
    settings: dict[str, str]
    bytes: int
    now: datetime
    moved_clock: bool
    prints: dict[str, str]
    workers: int
    lanes_worked: int
    jobs: dict[str, int]
    long_transactions: int
    orphans: int
    stuck: list[Stuck]
    paused: list[tuple[str, str, str]]
    holds: int
    open_runs: int


_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


def health(connection: Connection) -> Health:
    """Look; a handful of statements that do not scan items."""
    one = connection.execute(
        text(
            "SELECT split_part(version(), ' on ', 1) AS version,"
            " pg_database_size(current_database()) AS bytes, clock_timestamp() AS now,"
            " coalesce(current_setting('payouts.now', true), '') <> '' AS moved,"
            " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND classid = :workers AND database = (SELECT oid FROM pg_database"
            " WHERE datname = current_database())) AS workers,"
            " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND classid = :lanes AND database = (SELECT oid FROM pg_database"
            " WHERE datname = current_database())) AS lanes,"
            " (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND xact_start < now() - interval '5 minutes') AS long,"
            " (SELECT count(*) FROM attempt a WHERE a.closed_at IS NULL AND NOT EXISTS ("
            " SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.classid = :workers"
            " AND l.objid = a.worker)) AS orphans,"
            " (SELECT count(*) FROM hold WHERE released_at IS NULL) AS holds,"
            " (SELECT count(*) FROM pipeline_run WHERE closed_at IS NULL) AS open_runs"
        ),
        {"workers": WORKER_LOCKS, "lanes": LANE_LOCKS},
    ).one()
    return Health(
        version=one.version,
        settings={
            name: str(connection.scalar(text("SELECT current_setting(:name)"), {"name": name}))
            for name in _DURABLE
        },
        bytes=one.bytes,
        now=one.now,
        moved_clock=one.moved,
        prints=_prints(connection),
        workers=one.workers,
        lanes_worked=one.lanes,
        jobs=_jobs(connection),
        long_transactions=one.long,
        orphans=one.orphans,
        stuck=_stuck(connection),
        paused=_paused(connection),
        holds=one.holds,
        open_runs=one.open_runs,
    )


def _prints(connection: Connection) -> dict[str, str]:
    row = connection.execute(
        text("SELECT install_key_fingerprint, vault_key_fingerprint FROM installation")
    ).one_or_none()
    return {} if row is None else {"install_key": row[0], "vault_key": row[1]}


def _jobs(connection: Connection) -> dict[str, int]:
    rows = connection.execute(
        text("SELECT status::text, count(*) FROM queue.procrastinate_jobs GROUP BY 1 ORDER BY 1")
    )
    return {status: int(count) for status, count in rows}


def _stuck(connection: Connection) -> list[Stuck]:
    rows = connection.execute(
        text(
            "SELECT b.provider, c.state::text, sum(c.items)::bigint FROM pipeline_run r"
            " JOIN batch b ON b.run_id = r.id JOIN batch_count c ON c.batch_id = b.id"
            " AND c.items > 0 AND c.state IN ('sending', 'unknown', 'review', 'processing')"
            " WHERE r.closed_at IS NULL GROUP BY 1, c.state ORDER BY 1, c.state"
        )
    )
    return [Stuck(*row) for row in rows]


def _paused(connection: Connection) -> list[tuple[str, str, str]]:
    rows = connection.execute(
        text(
            "SELECT provider, funding, coalesce(reason, '') FROM lane"
            " WHERE paused_at IS NOT NULL ORDER BY 1, 2"
        )
    )
    return [(provider, funding, reason) for provider, funding, reason in rows]
