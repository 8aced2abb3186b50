"""The sandbox must not be what a million-line benchmark measures.

No test here guards a time that a busy machine would break: the bounds are ten times what was seen.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import Sandbox


def test_a_batch_of_500_takes_milliseconds(start: Callable[..., Sandbox]) -> None:
    sandbox = start("--speed", "instant")
    items = [sandbox.item(f"P{number:031}", to_account=f"TR{number:024}") for number in range(500)]
    times = []
    for _ in range(20):
        begun = time.perf_counter()
        assert len(sandbox.batch(*items).json()) == 500
        times.append(time.perf_counter() - begun)

    assert statistics.median(times) < 0.1


def test_reading_a_payment_does_not_depend_on_how_many_there_are(
    start: Callable[..., Sandbox],
) -> None:
    sandbox = start()
    names = [
        sandbox.batch(*(sandbox.item() for _ in range(500))).json()[7]["id"] for _ in range(150)
    ]
    times = []
    for name in names:
        begun = time.perf_counter()
        assert sandbox.orkesta.get(f"/payments/{name}").status_code == 200
        times.append(time.perf_counter() - begun)

    assert statistics.median(times) < 0.1
