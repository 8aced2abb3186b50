"""Blocks of keys: consecutive, never shared, and no lock is left behind."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sqlalchemy import text

from payouts.store import bulk

if TYPE_CHECKING:
    from payouts.store.engine import Database


def test_many_that_take_blocks_at_once_share_no_key(database: Database) -> None:
    taken: list[int] = []

    def take() -> None:
        with database.unit() as unit:
            for count in range(1, 40):
                first = bulk.take_keys(unit, "item_seq", count)
                taken.extend(range(first, first + count))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == len(set(taken)) == 4 * sum(range(1, 40))


def test_a_unit_that_is_undone_gives_no_key_back_and_keeps_no_lock(database: Database) -> None:
    with database.reading() as connection:
        before = bulk.take_keys(connection, "batch_seq", 3)
        connection.rollback()

        locks = connection.scalar(
            text(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
            )
        )
        assert bulk.take_keys(connection, "batch_seq", 3) == before + 3

    assert locks == 0
