"""The short share of the simulation; `poe prove` and `python -m tests.simulation` play more."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from payouts.core.sealed import Sealed
from tests.simulation.loading import Office, make_office
from tests.simulation.plan import POLL_FAULTS, SUBMIT_FAULTS, draw, smaller
from tests.simulation.runner import Report, play_all
from tests.simulation.schedule import play
from tests.simulation.stage import prepared

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from payouts.store import embedded

CHUNK, CHUNKS = 12, 40
FIRST = 1

# Seeds that once broke a promise, or showed a mistake of the simulation itself.
KEPT = (3, 61, 1047, 20559)


@pytest.fixture(scope="module")
def office(postgres: embedded.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    with prepared(postgres, f"simulation_office_{worker}") as stage:
        yield make_office(stage, tmp_path_factory.mktemp("office"))


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_schedule_of_faults_breaks_a_promise(office: Office, chunk: int) -> None:
    """Each schedule ends converged: nobody paid twice, no line lost, the ledger as the states say."""
    report = Report()
    first = FIRST + chunk * CHUNK

    play_all(office, range(first, first + CHUNK), report)

    assert not report.failures, report.failures[0]
    assert report.schedules == CHUNK


@pytest.mark.parametrize("seed", KEPT)
def test_a_seed_that_once_failed_does_not_fail_again(office: Office, seed: int) -> None:
    verdict = play(office, draw(seed), f"kept{seed}")

    assert verdict.broken == []


def test_a_seed_replays_to_the_last_line(office: Office) -> None:
    """A failure that does not come again when its seed is played teaches nobody."""
    first, second = (play(office, draw(61), name) for name in ("once", "twice"))

    assert _without_keys(first.trace) == _without_keys(second.trace)
    assert first.states == second.states


def _without_keys(trace: list[str]) -> list[str]:
    """Times stay; keys of rows differ from play to play."""
    return [line[:13] + re.sub("[0-9]+", "#", line[13:]) for line in trace]


@pytest.mark.parametrize("level", ["C0", "C1"])
@pytest.mark.parametrize("name", SUBMIT_FAULTS)
def test_every_fault_fires_and_every_level_bears_it(office: Office, level: str, name: str) -> None:
    from tests.simulation.plan import Fault  # noqa: PLC0415  one row of the table

    fault = Fault("submit", 1, name, 20.0, 1)
    plan = replace(draw(1), level=level, faults=(fault,), mishaps=(), filed=False, heals_at=600.0)

    verdict = play(office, plan, f"{level}_{name}")

    assert verdict.fired[name] == 1
    assert verdict.broken == []


@pytest.mark.parametrize("name", POLL_FAULTS)
def test_every_fault_of_a_look_fires_and_is_borne(office: Office, name: str) -> None:
    from tests.simulation.plan import Fault  # noqa: PLC0415  one row of the table
    from tests.simulation.platform import Fate  # noqa: PLC0415  the same

    fault = Fault("poll", 1, name, 20.0, 1)
    fates = (Fate("paid", 600.0),) * 4
    plan = replace(draw(1), level="C0", faults=(fault,), mishaps=(), filed=False, heals_at=600.0)
    plan = replace(plan, fates=fates, amounts=(100, 200, 300, 400))

    verdict = play(office, plan, f"poll_{name}")

    assert verdict.fired[name] == 1
    assert verdict.broken == []


def test_a_plan_becomes_smaller_one_thing_at_a_time() -> None:
    plan = draw(61)

    for less in smaller(plan):
        assert less != plan
        sizes = [len(str(each)) for each in (less, plan)]
        assert sizes[0] <= sizes[1]


class _Forger(Office):
    """After a load, other amounts are sealed into its batches by somebody who has the vault key."""

    def quick(
        self, payer: str, provider: str, lines: Sequence[tuple[str, int]], batch_max: int
    ) -> int:
        run = super().quick(payer, provider, lines, batch_max)
        with self.stage.unit() as unit:
            unit.exec_driver_sql("SET LOCAL session_replication_role = replica")
            rows = unit.exec_driver_sql(
                "SELECT p.batch_id, p.key_id, p.data_key, p.body FROM batch_payload p"
                " JOIN batch b ON b.id = p.batch_id WHERE b.run_id = %s",
                (run,),
            ).all()
            for batch, *sealed in rows:
                plain = self.vault.open(batch, Sealed(*sealed)).replace(b'"amount":', b'"amount":9')
                unit.exec_driver_sql(
                    "UPDATE batch_payload SET (key_id, data_key, body) = (%s, %s, %s)"
                    " WHERE batch_id = %s",
                    (*self.vault.seal(batch, plain), batch),
                )
        return run


def test_what_was_altered_after_its_approval_is_never_sent(office: Office) -> None:
    """The seal of a batch says what was approved; whoever can seal anew cannot change that."""
    forger = _Forger(office.stage, office.folder, office.connectors, ids=office.ids)
    plan = replace(draw(1), level="C1", faults=(), mishaps=(), filed=False, heals_at=1.0)

    verdict = play(forger, plan, "forged")

    assert not any("submit" in line for line in verdict.trace)
    assert any("is not what was approved" in sentence for sentence in verdict.broken)
    assert set(verdict.states) == {"approved"}
