"""Calls that take time at the platform: how near to the ideal the lanes come.

The ideal is what the platform's latency alone would take: calls · latency / concurrency.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from payouts.core.pipeline import Pipeline
from payouts.flows.load import load
from payouts.intake.survey import survey
from tests.benchmarks.data import BATCH, good_lines, turkish
from tests.benchmarks.flow import control, worked
from tests.benchmarks.places import project, seen
from tests.benchmarks.ways import Facts, Place, require, way

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__: list[str] = []

_CALLS: Final = 5_000
_SINGLE: Final = "POST /orkestra/payouts"
_BATCH: Final = "POST /orkesta/v1/payments/batch"


def _sepa(path: Path, lines: int) -> None:
    """A file for Orkestra: German IBANs with right check digits."""
    with path.open("w") as file:
        file.write("reference,name,country,currency,amount,method,account\n")
        for number in range(lines):
            bban = f"37040044{number * 7919 % 10**10:010d}"
            check = 98 - int(f"{bban}131400") % 97
            file.write(
                f"S-{number},Lena Weber,DE,EUR,{10 + number % 90}.50,sepa,DE{check:02d}{bban}\n"
            )


def _worked(
    place: Place, path: Path, settings: str, fault: Mapping[str, object]
) -> tuple[float, int]:
    """Seconds from the first claim until the run rests, and items settled."""
    with project(place, settings, platforms=True) as parts:
        control(place, "settings", {"magic": False})
        control(place, "faults", [fault])
        result = load(
            parts.database,
            survey(path),
            parts.rules(),
            parts.load_order(Pipeline("bench", reject_limit=0.05), path, place.own / "copy"),
            encoders=parts.connectors,
            batch_max=parts.batch_max,
            signer=parts.signer,
            vault=parts.vault,
        )
        begun = time.perf_counter()
        worked(parts, result.run_id)
        seconds = time.perf_counter() - begun
    spent = (
        "SELECT coalesce(sum(items) FILTER (WHERE state = 'settled'), 0), sum(items),"
        " (SELECT extract(epoch FROM max(closed_at) - min(opened_at))::float8 FROM attempt)"
        " FROM batch_count"
    )
    settled, items, exchanging = seen(place, spent)
    require("settled", settled, items)
    return min(seconds, exchanging), int(items)


def _single(place: Place, latency_s: float, concurrency: int) -> Facts:
    place.own.mkdir(parents=True, exist_ok=True)
    path = place.own / "sepa.csv"
    _sepa(path, _CALLS)
    fault = {"fault": "latency", "route": _SINGLE, "options": {"seconds": latency_s, "jitter_s": 0}}
    settings = f"[orkestra]\nconcurrency = {concurrency}\n"
    seconds, items = _worked(place, path, settings, fault)
    require("calls", items, _CALLS)
    return {"seconds": seconds, "items": items, "ideal_s": items * latency_s / concurrency}


def _batches(place: Place, latency_s: float, concurrency: int, lines: int) -> Facts:
    place.own.mkdir(parents=True, exist_ok=True)
    path = place.own / "turkish.csv"
    turkish(path, lines)
    fault = {"fault": "latency", "route": _BATCH, "options": {"seconds": latency_s, "jitter_s": 0}}
    settings = f"[orkesta]\nconcurrency = {concurrency}\n"
    seconds, items = _worked(place, path, settings, fault)
    require("items", items, good_lines(lines))
    batches = -(-items // BATCH)
    # The goal counts two exchanges of a batch; the sandbox settles at once, so there is one.
    return {
        "seconds": seconds,
        "items": batches,
        "ideal_s": 2 * batches * latency_s / concurrency,
        "one_exchange_s": batches * latency_s / concurrency,
    }


@way("latency.single", database="payouts")
def _single_payouts(place: Place) -> Facts:
    """5,000 single payouts at 20 ms, 64 at a time."""
    return _single(place, 0.02, 64)


@way("latency.batches_16", database="payouts")
def _batches_of_16(place: Place) -> Facts:
    """200 batches at 200 ms, 16 at a time."""
    return _batches(place, 0.2, 16, 102_000)


@way("latency.batches_64", database="payouts")
def _batches_of_64(place: Place) -> Facts:
    """400 batches at 200 ms, 64 at a time."""
    return _batches(place, 0.2, 64, 204_000)
