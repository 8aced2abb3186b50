"""What a load is asked for, and what came of it: plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import polars as pl

from payouts.core.errors import FileRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

__all__ = ["OUTCOMES", "Again", "AllRejectedError", "Encoder", "LoadOrder", "LoadResult"]

OUTCOMES = ("accepted", "rejected", "duplicate", "conflict", "quarantined")


class Encoder(Protocol):
    """What a load needs of a connector."""

    encoder: str

    def encode(self, items: pl.DataFrame) -> pl.Series:
        """One JSON body per item."""
        ...


@dataclass(frozen=True, slots=True)
class Again:
    """Lines that pay again what is finally not paid (`flows.reissue`).

    Args:
        lines: line, reference, intent, replaces (the item that is replaced).
        require: called first inside the load's transaction; raises where one of them may not be
            paid again, and nothing is loaded.
    """

    lines: pl.DataFrame
    require: Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class LoadOrder:
    """How a file is to be loaded; plain values.

    Args:
        payer: whose lines these are; part of every line's identity.
        period: with the fingerprint, the identity of lines without a reference.
        source_name: the file's name as the person knows it.
        source_copy: our copy's path, relative to the project.
        funding: the funding account that pays.
        policy: `auto` approves at once, `person` waits.
        actor: who loads, for the record.
        aggregated: sum the lines of one payee into one payout.
        reject_share_max: above this share of bad lines the whole file is held.
        opening_minor: in the sandbox, what an account opens with per currency's major unit.
        transform: a pipeline's own change of the canonical frame.
        checked: callback with the lines checked so far.
        again: the lines pay again what is finally not paid; none for a payer's own file.
        reached: called at named points (a no-op; the crash journeys put failpoints there).
    """

    payer: str
    pipeline: str
    period: str
    source_name: str
    source_copy: str
    funding: str
    policy: str
    actor: str
    slot: str | None = None
    aggregated: bool = False
    reject_share_max: float = 0.02
    opening_minor: Mapping[str, int] | None = None
    transform: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    checked: Callable[[int], None] = lambda _lines: None
    again: Again | None = None
    reached: Callable[[str], None] = lambda _point: None


@dataclass(slots=True)
class LoadResult:
    """What a load did, or in a plan would do.

    Args:
        run_id: key of the run; of the earlier one where `known`.
        known: these bytes were loaded before; nothing new was done.
        counts: lines by outcome.
        amounts: per currency and outcome, minor units of the lines whose amount is readable.
        routes: provider, method, currency, items, amount_minor, batches.
        problems: PROBLEMS frame of every rejected or warned line.
        outcomes: line, outcome of every line that was not accepted.
        short: per currency, what the funding account lacks.
        opened: per currency, the opening transfer that the sandbox booked.
        holds: (reason, detail) that keep the run from being sent.
    """

    run_id: int
    known: bool = False
    lines: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    amounts: pl.DataFrame = field(default_factory=pl.DataFrame)
    routes: pl.DataFrame = field(default_factory=pl.DataFrame)
    problems: pl.DataFrame = field(default_factory=pl.DataFrame)
    outcomes: pl.DataFrame = field(default_factory=pl.DataFrame)
    batches: int = 0
    short: dict[str, int] = field(default_factory=dict)
    opened: dict[str, int] = field(default_factory=dict)
    holds: list[tuple[str, str]] = field(default_factory=list)


class AllRejectedError(FileRefusedError):
    """No line of a file is good: nothing was stored or sent.

    Args:
        result: what the load found, for the reject file.
    """

    code = "E_FILE_ALL_REJECTED"

    def __init__(self, name: str, result: LoadResult) -> None:
        super().__init__(
            f"all {result.counts['rejected']} payable lines of {name} are rejected;"
            " nothing was stored or sent",
            hint="Repair the lines named in the reject file and drop it again.",
        )
        self.result = result
