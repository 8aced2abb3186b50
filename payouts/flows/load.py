"""Loading a payee file: read, check, claim, cut, seal, reserve; one transaction.

The file is read from our own private copy. Every data line becomes one `line` row in the same
transaction as the batches, so a crash leaves either the whole load or nothing (P2). Sending starts
after the commit. `dry=True` does all of it and rolls back: that is `payouts plan`, so a plan
cannot differ from the run it predicts.

Three chunks are under way at once, each a step ahead of the next: one is read, checked and claimed
(`flows.claim`), one is encoded and sealed, one is copied into the database (`flows.place`).
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import polars as pl

from payouts import jobs
from payouts.core.errors import InvariantError, SettingsError
from payouts.flows import fund
from payouts.flows.aggregate import aggregate, beyond
from payouts.flows.claim import Claims, Outcomes
from payouts.flows.cut import cut
from payouts.flows.likeness import alike
from payouts.flows.order import (
    OUTCOMES,
    Again,
    AllRejectedError,
    Encoder,
    LoadOrder,
    LoadResult,
)
from payouts.flows.place import Cut, Placing
from payouts.intake.reader import chunks
from payouts.store import bulk, runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

    from payouts.flows.identity import Signer
    from payouts.flows.place import Placed
    from payouts.intake.checks import Rules
    from payouts.intake.survey import Survey
    from payouts.store.bulk import Rows
    from payouts.store.engine import Database
    from payouts.vault import Sealer, Vault

__all__ = [
    "OUTCOMES",
    "Again",
    "AllRejectedError",
    "Encoder",
    "LoadOrder",
    "LoadResult",
    "load",
]

_AHEAD: Final = 2
"""Chunks that wait to be written or are being written, so that memory has a bound."""


def load(
    database: Database,
    survey: Survey,
    rules: Rules,
    order: LoadOrder,
    *,
    encoders: Mapping[str, Encoder],
    batch_max: Mapping[str, int],
    signer: Signer,
    vault: Vault,
    dry: bool = False,
) -> LoadResult:
    """Load a surveyed file.

    Raises:
        FileRefusedError: the file changed since it was surveyed, or no line of it is good.
        VaultAwayError: the key of this load cannot be kept where it has to be; nothing was written.
        InvariantError: a promise would have been broken; nothing was written.
    """
    with database.unit() as unit, database.reading() as probe:
        payer_id = runs.ensure_payer(unit, order.payer)
        runs.lock_payer(unit, payer_id)
        if order.again is not None:
            order.again.require(unit)
        known = runs.source_run(unit, payer_id, survey.sha256)
        if known is not None:
            return LoadResult(known, known=True, lines=survey.lines)
        loader = _Loader(
            unit,
            probe,
            survey,
            rules,
            order=order,
            payer_id=payer_id,
            encoders=encoders,
            batch_max=batch_max,
            signer=signer,
            vault=vault.for_load(kept=not dry),
        )
        result = loader.run()
        order.reached("before_commit")
        if dry:
            unit.rollback()
    order.reached("after_commit")
    return result


class _Loader:
    """One load in progress."""

    def __init__(
        self,
        unit: Connection,
        probe: Connection,
        survey: Survey,
        rules: Rules,
        *,
        order: LoadOrder,
        payer_id: int,
        encoders: Mapping[str, Encoder],
        batch_max: Mapping[str, int],
        signer: Signer,
        vault: Sealer,
    ) -> None:
        self.unit, self.probe = unit, probe
        self.survey, self.order, self.bounds = survey, order, rules.coverage
        self.encoders, self.batch_max = encoders, batch_max
        self.line_lo = bulk.take_keys(unit, "line_seq", survey.lines)
        self.run_id = runs.open_run(unit, _new_run(survey, order, payer_id, self.line_lo))
        self.outcomes = Outcomes()
        self.claims = Claims(
            probe,
            survey,
            rules,
            order,
            payer_id=payer_id,
            line_lo=self.line_lo,
            signer=signer,
            outcomes=self.outcomes,
        )
        self.placing = Placing(
            order,
            run_id=self.run_id,
            payer_id=payer_id,
            encoders=encoders,
            signer=signer,
            vault=vault,
        )
        self.rest: pl.DataFrame | None = None
        self.under_way: deque[Future[None]] = deque()

    def run(self) -> LoadResult:
        with self.working():
            for chunk in chunks(self.survey):
                self.take(*self.claims.judge(chunk))
                self.order.checked(self.claims.lines)
            self.take_rest()
        return self.close()

    # -- the steps of a chunk ---------------------------------------------------------------------

    @contextmanager
    def working(self) -> Iterator[None]:
        """Threads that prepare and write, one of each; what failed in one is raised here."""
        with (
            ThreadPoolExecutor(1, "payouts-prepare") as self._preparing,
            ThreadPoolExecutor(1, "payouts-copy") as self._writing,
        ):
            try:
                yield
                self._wait(0)
            finally:
                for step in self.under_way:
                    step.cancel()

    def take(self, refused: pl.DataFrame, accepted: pl.DataFrame) -> None:
        """Store a chunk's lines; what does not fill a batch is kept for the next chunk."""
        self._require_credentials(accepted)
        if refused.height:
            self._submit(refused)
        lines = accepted if self.rest is None else pl.concat([self.rest, accepted])
        if self.order.aggregated:
            self.rest = lines
            return
        chosen, self.rest = cut(lines, self.batch_max, last=False)
        self._place(chosen)

    def take_rest(self) -> None:
        """Store what was kept back, at the end of the file."""
        if self.rest is None:
            return
        lines, self.rest = self.rest, None
        if self.order.aggregated:
            self._place_sums(lines)
        else:
            self._place(cut(lines, self.batch_max, last=True)[0])

    def _place(
        self,
        chosen: pl.DataFrame,
        lines: pl.DataFrame | None = None,
        members: pl.DataFrame | None = None,
    ) -> None:
        """Give keys to items and batches and send them on their way."""
        if chosen.is_empty():
            return
        batches = int(chosen["batch"].tail(1).item()) + 1
        item_lo = bulk.take_keys(self.probe, "item_seq", chosen.height)
        batch_lo = bulk.take_keys(self.probe, "batch_seq", batches)
        self._submit(Cut(chosen, item_lo, batch_lo, lines, members))

    def _place_sums(self, lines: pl.DataFrame) -> None:
        """Sum the accepted lines; where a sum may not be paid, all its lines are rejected."""
        summed = aggregate(lines)
        problems = beyond(summed, lines, self.bounds)
        if problems.height:
            self._reject(lines.drop("codes").join(problems.select("line", "code"), on="line"))
            self.outcomes.tell(problems)
            lines = lines.join(problems, on="line", how="anti", maintain_order="left")
            summed = aggregate(lines)
        if lines.height:
            items = summed.items.cast({"amount_minor": pl.Int64})
            chosen, _ = cut(items, self.batch_max, last=True)
            self._place(chosen, lines, summed.members)

    def _reject(self, lines: pl.DataFrame) -> None:
        """Lines that are good one by one, and too much or too little together."""
        rows = lines.rename({"code": "codes"}).with_columns(
            outcome=pl.lit("rejected"), item_id=pl.lit(None, pl.Int64)
        )
        self.outcomes.add(rows)
        self._submit(rows)

    def _require_credentials(self, accepted: pl.DataFrame) -> None:
        missing = sorted(set(accepted["provider"].unique()) - set(self.encoders))
        if missing:
            raise SettingsError(
                f"lines of {self.order.source_name} are paid by {' and '.join(missing)},"
                " which has no credentials here; nothing was stored or sent",
                hint=f"Set them under [{missing[0]}], or take these lines out.",
            )

    # -- the threads ------------------------------------------------------------------------------

    def _submit(self, wanted: Cut | pl.DataFrame) -> None:
        self._wait(_AHEAD)
        prepared: Future[Rows] | Future[Placed]
        if isinstance(wanted, Cut):
            prepared = self._preparing.submit(self.placing.prepare, wanted)
        else:
            prepared = self._preparing.submit(self.placing.refused, wanted)
        self.under_way.append(self._writing.submit(self._write, prepared))

    def _write(self, prepared: Future[Rows] | Future[Placed]) -> None:
        rows = prepared.result()
        if isinstance(rows, bulk.Rows):
            bulk.write(self.unit, "line", rows)
        else:
            self.placing.write(self.unit, rows)

    def _wait(self, most: int) -> None:
        """Go on when at most so many steps are under way."""
        while len(self.under_way) > most:
            self.under_way.popleft().result()

    # -- the end ----------------------------------------------------------------------------------

    def close(self) -> LoadResult:
        """Hold everything against each other, and approve the run or say why it waits."""
        outcomes, placing, lines = self.outcomes, self.placing, self.claims.lines
        counts = {**outcomes.counts, "accepted": placing.accepted}
        if lines != self.survey.lines or lines != sum(counts.values()):
            raise InvariantError(
                f"{self.survey.lines} lines were counted, {lines} read and"
                f" {sum(counts.values())} accounted for"
            )
        counts = {outcome: count for outcome, count in counts.items() if count}
        runs.close_load(self.unit, self.run_id, read=lines, counts=counts, totals=placing.totals)
        result = LoadResult(
            self.run_id,
            lines=lines,
            counts=counts,
            totals=placing.totals,
            amounts=outcomes.amounts,
            routes=placing.routes,
            problems=outcomes.problems,
            outcomes=outcomes.outcomes,
            batches=placing.batches,
        )
        if not counts.get("accepted"):
            if counts.get("rejected"):
                raise AllRejectedError(self.order.source_name, result)
            return result
        self._release(result)
        return result

    def _release(self, result: LoadResult) -> None:
        """Book the sandbox's opening transfers, open holds, or approve and enqueue."""
        if self.order.opening_minor is not None:
            for currency in sorted(result.totals):
                amount = fund.open_account(
                    self.unit, self.order.funding, currency, self.order.opening_minor[currency]
                )
                if amount:
                    result.opened[currency] = amount
        rejected = result.counts.get("rejected", 0)
        if rejected > self.order.reject_share_max * result.lines:
            share = f"{100 * rejected / result.lines:.1f} % of the lines are rejected"
            result.holds.append(("rejects", share))
        if self.order.again is None:
            likeness = alike(self.unit, self.run_id, self.claims.repeats, result.counts["accepted"])
            if likeness is not None:
                result.holds.append(("lookalike", likeness))
        result.short = runs.shortfall(self.unit, self.run_id)
        if result.short:
            result.holds.append(("funds", ", ".join(sorted(result.short))))
        for reason, detail in result.holds:
            runs.hold(self.unit, self.run_id, reason=reason, detail=detail, actor=self.order.actor)
        if self.order.policy == "auto" and not result.short:
            runs.approve(self.unit, self.run_id, actor=self.order.actor)
            jobs.enqueue_lanes(self.unit, runs.lanes(self.unit, self.run_id))


def _new_run(survey: Survey, order: LoadOrder, payer_id: int, line_lo: int) -> runs.NewRun:
    return runs.NewRun(
        line_lo=line_lo,
        line_hi=line_lo + survey.lines - 1,
        payer_id=payer_id,
        pipeline=order.pipeline,
        slot=order.slot,
        period=order.period,
        source_name=order.source_name,
        source_copy=order.source_copy,
        source_sha256=survey.sha256,
        source_bytes=survey.size,
        funding=order.funding,
        policy=order.policy,
        detected={"kind": survey.kind, "notes": list(survey.notes)},
    )
