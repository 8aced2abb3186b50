"""The engine against a platform that loses replies, repeats itself and contradicts itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.flows.conftest import sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import World

pytestmark = pytest.mark.journey

SUBMIT = {
    "orkesta": "POST /orkesta/v1/payments/batch",
    "orkestra": "POST /orkestra/payouts",
}
LINES = {"orkesta": turkish, "orkestra": sepa}
COUNT = 8


def rows(provider: str, count: int = COUNT) -> list[dict[str, str]]:
    return [LINES[provider](f"R-{place}", f"{10 + place}.25") for place in range(count)]


@pytest.mark.parametrize("provider", ["orkesta", "orkestra"])
def test_good_lines_are_settled_once_and_the_ledger_agrees(
    make_world: Callable[..., World], provider: str
) -> None:
    world = make_world(speed="20")

    states = world.pay(rows(provider))

    assert states == {"settled": COUNT}
    assert sorted(len(made) for made in world.effects().values()) == [1] * COUNT
    world.check()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("missing_items", {"unknown": 1, "settled": COUNT - 1}),
        # Its id is known, so it is asked for, and the answer is one that we know.
        ("unknown_status", {"settled": COUNT}),
        ("other_amount", {"review": 1, "settled": COUNT - 1}),
    ],
)
def test_a_reply_that_says_something_odd_of_one_item_touches_no_other(
    make_world: Callable[..., World], fault: str, expected: dict[str, int]
) -> None:
    world = make_world(
        f'[[fault]]\nfault = "{fault}"\nroute = "{SUBMIT["orkesta"]}"\nnth = [1]\n'
        "[fault.options]\ncount = 1\n",
    )

    states = world.pay(rows("orkesta"))

    assert states == expected
    world.check()


@pytest.mark.parametrize("provider", ["orkesta", "orkestra"])
def test_a_wrong_key_pauses_the_lane_and_fails_nobody(
    make_world: Callable[..., World], provider: str
) -> None:
    world = make_world(f'[[fault]]\nfault = "unauthorized"\nroute = "{SUBMIT[provider]}"\n')

    states = world.pay(rows(provider))

    assert states == {"approved": COUNT}
    assert world.sql("SELECT reason FROM lane WHERE paused_at IS NOT NULL") == [("http_401",)]
    world.check()


def test_one_poison_item_is_found_and_fails_alone(make_world: Callable[..., World]) -> None:
    """A platform that refuses a whole batch for one bad item must not stop the other 39."""
    world = make_world(
        f'[[fault]]\nfault = "poison"\nroute = "{SUBMIT["orkesta"]}"\nreference = "POISON"\n',
    )
    run = world.load(world.write(rows("orkesta", 40))).run_id
    (poisoned,) = [wire for item, wire in world.wires().items() if item % 40 == 7]
    faults = world.folder / "faults.toml"
    assert "POISON" in faults.read_text()
    _set_faults(world, f"{SUBMIT['orkesta']}", poisoned)

    states = world.work(run)

    assert states == {"failed": 1, "settled": 39}
    world.check()


def _set_faults(world: World, route: str, wire: str) -> None:
    import httpx  # noqa: PLC0415  only this test steers the sandbox

    base = world.parts.connectors["orkesta"].base_url.removesuffix("/orkesta/v1")
    rule = {"fault": "poison", "route": route, "reference": wire}
    httpx.post(f"{base}/_control/faults", json=[rule]).raise_for_status()


def test_an_item_that_fails_never_touches_its_neighbours(make_world: Callable[..., World]) -> None:
    world = make_world(settings="[retry]\npace = 0.0005\n")
    lines = rows("orkesta", 5)
    for line, ending in zip(lines, ("771111", "772222", "779999", "774444"), strict=False):
        line["account"] = f"acc_01hx3k9qze4p7vb2ntcm{ending}"

    states = world.pay(lines)

    assert states == {"failed": 3, "settled": 2}
    world.check()


def test_an_answer_that_stays_unclear_ends_in_review(make_world: Callable[..., World]) -> None:
    world = make_world(
        f'[[fault]]\nfault = "server_error"\nroute = "{SUBMIT["orkestra"]}"\n',
        settings="[retry]\npace = 0.00001\n",
    )

    states = world.pay(rows("orkestra", 3))

    assert states == {"review": 3}
    assert world.effects() == {}
    world.check()
