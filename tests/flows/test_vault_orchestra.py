"""`vault = "orchestra"` end to end: paid as ever, and without the platform nothing is sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import text

from payouts.core.errors import VaultAwayError
from payouts.flows.erase import erase
from payouts.store import lanes
from payouts.store.incidents import open_incidents
from payouts.vault import ErasedError, Sealed
from tests.flows.conftest import IBANS, sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import World

SETTINGS = 'vault = "orchestra"\n[retry]\npace = 0.0005\n'
ROWS = [sepa(f"S-{place}", f"{10 + place}.25", IBANS[place % 4]) for place in range(3)]
ROWS += [turkish(f"T-{place}", f"{20 + place}.50") for place in range(3)]


def notes(world: World, act: str) -> list[dict[str, Any]]:
    """What Orchestra itself says that it did."""
    lines = world.truth.read_text().splitlines() if world.truth.exists() else []
    found = [json.loads(line) for line in lines]
    return [line for line in found if line["kind"] == "note" and line["act"] == act]


def faults(world: World, *routes: str) -> None:
    """From now on these routes are down; without any, all is well."""
    url = (world.folder / ".payouts" / "sandbox" / "control").read_text()
    rules = [{"fault": "unavailable", "route": route} for route in routes]
    httpx.post(f"{url}/_control/faults", json=rules, trust_env=False).raise_for_status()


def test_a_run_is_paid_with_one_key_at_the_platform(make_world: Callable[..., World]) -> None:
    world = make_world(settings=SETTINGS)

    states = world.pay(ROWS)

    assert states == {"settled": 6}
    assert len(notes(world, "token")) == 1
    kept = notes(world, "token")[0]["payload"]
    assert not any(row["account"] in kept for row in ROWS)
    rows = world.sql(
        "SELECT count(*), count(DISTINCT key_id), bool_and(key_id LIKE '%@%') FROM batch_payload"
    )
    assert rows == [(2, 1, True)]
    world.check()


def test_a_load_is_refused_whole_where_its_key_cannot_be_kept(
    make_world: Callable[..., World],
) -> None:
    world = make_world(settings=SETTINGS)
    path = world.write(ROWS)
    faults(world, "POST /orchestra/StringTokens")

    with pytest.raises(VaultAwayError):
        world.load(path)

    assert world.sql("SELECT count(*) FROM line") == [(0,)]
    faults(world)
    assert world.work(world.load(path).run_id) == {"settled": 6}
    world.check()


def test_without_the_platform_nothing_is_opened_and_nothing_is_sent(
    make_world: Callable[..., World],
) -> None:
    """The items stay approved, the lanes are paused, and somebody is told."""
    world = make_world(settings=SETTINGS)
    run = world.load(world.write(ROWS)).run_id
    faults(world, "GET /orchestra/StringTokens/*")

    assert world.work(run) == {"approved": 6}

    assert world.effects() == {}
    assert world.sql("SELECT count(*) FROM attempt") == [(0,)]
    with world.parts.database.reading() as unit:
        told = {one.code for one in open_incidents(unit)}
    assert {"E_VAULT_AWAY", "E_LANE_PAUSED"} <= told
    rows = world.sql("SELECT provider, reason FROM lane WHERE paused_at IS NOT NULL ORDER BY 1")
    assert rows == [("orkesta", "vault_away"), ("orkestra", "vault_away")]
    faults(world)
    with world.parts.database.unit() as unit:
        for provider, _ in rows:
            lanes.resume(unit, provider, "main")
    assert world.work(run) == {"settled": 6}
    world.check()


def test_a_rehearsal_leaves_no_key_there(make_world: Callable[..., World]) -> None:
    world = make_world(settings=SETTINGS)

    world.load(world.write(ROWS), dry=True)

    assert notes(world, "token") == []


def test_a_run_that_was_kept_long_enough_is_erased_and_the_books_stay(
    make_world: Callable[..., World],
) -> None:
    world = make_world(settings=SETTINGS)
    old = world.load(world.write(ROWS)).run_id
    world.work(old)
    young = world.load(world.write([sepa("Y-1")], "young.csv")).run_id
    world.work(young)
    with world.parts.database.unit() as unit:
        unit.execute(
            text(
                "UPDATE pipeline_run SET closed_at = payouts_now() WHERE closed_at IS NULL"
                " AND id = :run"
            ),
            {"run": old},
        )
    before = world.sql("SELECT name, balance_minor FROM ledger_balance ORDER BY 1")
    parts = world.parts
    past, future = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))

    assert erase(parts.database, parts.vault, past, actor="person:test") == []
    erased = erase(parts.database, parts.vault, future, actor="person:test")
    again = erase(parts.database, parts.vault, future, actor="person:test")

    assert (erased[0], again) == (old, [])
    assert len(notes(world, "token_deleted")) == len(erased)
    rows = world.sql(
        "SELECT b.id, p.key_id, p.data_key, p.body FROM batch b JOIN batch_payload p"
        " ON p.batch_id = b.id WHERE b.run_id = :run",
        run=old,
    )
    for batch, *sealed in rows:
        with pytest.raises(ErasedError):
            parts.vault.open(batch, Sealed(*sealed))
    assert world.sql("SELECT name, balance_minor FROM ledger_balance ORDER BY 1") == before
    assert world.states(old) == {"settled": 6}


def test_an_erasure_that_was_cut_off_is_noted_by_the_next(
    make_world: Callable[..., World],
) -> None:
    world = make_world(settings=SETTINGS)
    run = world.load(world.write(ROWS)).run_id
    world.work(run)
    with world.parts.database.unit() as unit:
        unit.execute(text("UPDATE pipeline_run SET closed_at = coalesce(closed_at, payouts_now())"))
    tomorrow = datetime.now(UTC) + timedelta(days=1)

    class EndError(Exception):
        pass

    def end(_point: str) -> None:
        raise EndError

    parts = world.parts
    with pytest.raises(EndError):
        erase(parts.database, parts.vault, tomorrow, actor="person:test", reached=end)
    assert world.sql("SELECT count(*) FROM erasure") == [(0,)]

    assert erase(parts.database, parts.vault, tomorrow, actor="person:test") == [run]
    assert world.sql("SELECT count(*) FROM erasure") == [(1,)]
