"""Loading a payee file: read, check, claim, cut, seal, reserve; one transaction.

The file is read from our own private copy. Every data line becomes one `line` row in the same
transaction as the batches, so a crash leaves either the whole load or nothing (P2). Sending starts
after the commit. `dry=True` does all of it and rolls back: that is `payouts plan`, so a plan
cannot differ from the run it predicts.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import polars as pl

from payouts import jobs
from payouts.core.currencies import CURRENCIES
from payouts.core.errors import FileRefusedError, InvariantError, SettingsError
from payouts.core.problems import KINDS
from payouts.flows import fund
from payouts.flows.aggregate import aggregate, beyond, require_sums, unbounded
from payouts.flows.cut import cut
from payouts.flows.identity import with_content, with_references, with_wires
from payouts.flows.likeness import Repeats, alike
from payouts.intake.amounts import with_minor
from payouts.intake.checks import check
from payouts.intake.fields import sepa_text
from payouts.intake.frames import no_problems
from payouts.intake.reader import chunks
from payouts.store import bulk, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

    from payouts.flows.identity import Signer
    from payouts.intake.checks import Rules
    from payouts.intake.reader import Chunk
    from payouts.intake.survey import Survey
    from payouts.store.engine import Database
    from payouts.vault import Vault

__all__ = ["Again", "AllRejectedError", "Encoder", "LoadOrder", "LoadResult", "load"]

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
            vault=vault,
        )
        result = loader.run()
        order.reached("before_commit")
        if dry:
            unit.rollback()
    order.reached("after_commit")
    return result


class _Loader:
    """One load in progress: chunk after chunk, with the database working one chunk behind."""

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
        vault: Vault,
    ) -> None:
        self.unit, self.probe = unit, probe
        self.survey, self.order = survey, order
        self.rules = replace(rules, has_reference=survey.has_reference)
        self.bounds = rules.coverage
        if order.aggregated:
            self.rules = replace(self.rules, coverage=unbounded(rules.coverage))
        self.payer_id, self.encoders, self.batch_max = payer_id, encoders, batch_max
        self.signer, self.vault = signer, vault
        self.line_lo = bulk.take_keys(unit, "line_seq", survey.lines)
        self.run_id = runs.open_run(unit, _new_run(survey, order, payer_id, self.line_lo))
        self.repeats = Repeats(probe, payer_id, self._periods())
        self.lines = 0
        self.rest: pl.DataFrame | None = None
        self.fingerprints = pl.DataFrame(schema={"content": pl.Binary})
        self.references = pl.Series(dtype=pl.UInt64)
        self.routes: list[pl.DataFrame] = []
        self.amounts: list[pl.DataFrame] = []
        self.problems: list[pl.DataFrame] = []
        self.outcomes: list[pl.DataFrame] = []
        self.counts = dict.fromkeys(OUTCOMES, 0)
        self.totals: dict[str, int] = {}
        self.batches = 0
        self.accounts: dict[tuple[str, str], runs.BatchAccounts] = {}

    def _periods(self) -> list[str]:
        """Periods in which lines of a file without references may have been paid already."""
        order = self.order
        if self.survey.has_reference or order.again is not None:
            return []
        return runs.recent_periods(self.probe, self.payer_id, order.pipeline, order.period)

    def run(self) -> LoadResult:
        with ThreadPoolExecutor(1, "payouts-copy") as pool:
            behind: Future[None] | None = None
            for chunk in chunks(self.survey):
                lines, items = self._accept(chunk)
                self.order.checked(self.lines)
                if behind is not None:
                    behind.result()
                behind = pool.submit(self._store, lines, items, last=False)
            if behind is not None:
                behind.result()
            self._store(None, None, last=True)
        return self._close()

    # -- one chunk ------------------------------------------------------------------------------

    def _accept(self, chunk: Chunk) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The `line` rows of a chunk that are not accepted, and its accepted lines."""
        canonical = chunk.lines
        if self.order.transform is not None:
            canonical = _transformed(canonical, self.order.transform)
        checked = check(chunk.readable(canonical), self.rules)
        problems = pl.concat([chunk.problems, checked.problems])
        if problems.height:
            self.problems.append(problems)
        bad = problems.filter(pl.col("code").str.starts_with("E_")).select("line").unique()
        good = checked.good.join(bad, on="line", how="anti", maintain_order="left")
        good = with_references(with_content(good, self.signer), self.order.period)
        if self.order.again is not None:
            good = _again(good, self.order.again)
        verdicts = self._verdicts(canonical, good)
        # Every data line of the file, also those whose cells could not be read.
        numbered = chunk.original.select("line").with_columns(
            line_id=pl.int_range(pl.len(), dtype=pl.Int64) + self.line_lo + self.lines
        )
        self.lines += numbered.height
        accepted = good.join(verdicts, on="line", how="anti", maintain_order="left").join(
            numbered, on="line", how="left", maintain_order="left"
        )
        if self.order.transform is not None:
            self.references = _require_own_references(self.references, accepted)
        self.repeats.add(accepted)
        codes = problems.group_by("line", maintain_order=True).agg(
            pl.col("code").unique(maintain_order=True).str.join(" ").alias("codes")
        )
        refused = self._refused(canonical, good, numbered, verdicts, codes)
        self._require_credentials(accepted)
        return refused, accepted.join(codes, on="line", how="left", maintain_order="left")

    def _require_credentials(self, accepted: pl.DataFrame) -> None:
        missing = sorted(set(accepted["provider"].unique()) - set(self.encoders))
        if missing:
            raise SettingsError(
                f"lines of {self.order.source_name} are paid by {' and '.join(missing)},"
                " which has no credentials here; nothing was stored or sent",
                hint=f"Set them under [{missing[0]}], or take these lines out.",
            )

    def _verdicts(self, canonical: pl.DataFrame, good: pl.DataFrame) -> pl.DataFrame:
        """line, outcome, item_id of good lines that are not to be paid again."""
        inside = self.survey.duplicates.mark(canonical).select(
            "line",
            pl.col("verdict")
            .replace({"repeated_without_reference": "quarantined"})
            .alias("outcome"),
            pl.lit(None, pl.Int64).alias("item_id"),
        )
        known = runs.claimed(self.probe, self.payer_id, good["reference"])
        if self.order.again is not None:
            known = known.clear()  # each line is of an identity of its own: the next intent
        before = good.join(known, on="reference", how="inner").select(
            "line",
            pl.when(pl.col("content") == pl.col("known_content"))
            .then(pl.lit("duplicate"))
            .otherwise(pl.lit("conflict"))
            .alias("outcome"),
            pl.col("known_item").alias("item_id"),
        )
        inside = inside.join(good, on="line", how="semi")
        if not self.survey.has_reference:
            inside = pl.concat([inside, self._repeated(good)]).unique("line")
        earlier = before.join(inside, on="line", how="anti")
        return pl.concat([inside, earlier]).unique("line")

    def _repeated(self, good: pl.DataFrame) -> pl.DataFrame:
        """Lines without a reference that pay what a line before them pays, however they are written.

        The survey saw texts; here are values: `100` and `100.00` are one amount, and lines that
        differ in their description alone have one fingerprint.
        """
        before = pl.concat([self.fingerprints, good.select("content")])
        later = ~before.select(pl.col("content").is_first_distinct()).to_series()
        repeated = good.filter(later.tail(good.height))
        self.fingerprints = before.unique()
        return repeated.select(
            "line",
            pl.lit("quarantined").alias("outcome"),
            pl.lit(None, pl.Int64).alias("item_id"),
        )

    def _refused(
        self,
        canonical: pl.DataFrame,
        good: pl.DataFrame,
        numbered: pl.DataFrame,
        verdicts: pl.DataFrame,
        codes: pl.DataFrame,
    ) -> pl.DataFrame:
        rows = (
            numbered.join(good.select("line", "content"), on="line", how="left")
            .join(verdicts, on="line", how="left", maintain_order="left")
            .filter(pl.col("outcome").is_not_null() | pl.col("content").is_null())
            .with_columns(outcome=pl.col("outcome").fill_null("rejected"))
        )
        if rows.height:
            texts = canonical.join(rows.select("line"), on="line", how="semi")
            rows = rows.join(_readable(texts), on="line", how="left").join(
                codes, on="line", how="left", maintain_order="left"
            )
        else:
            rows = rows.with_columns(pl.lit(None, pl.Int64).alias("amount_minor")).with_columns(
                pl.lit(None, pl.String).alias(name) for name in ("reference", "currency", "codes")
            )
        if rows.height:
            self.outcomes.append(rows.select("line", "outcome"))
            self.amounts.append(rows.select("outcome", "currency", "amount_minor"))
            for outcome, count in rows["outcome"].value_counts().iter_rows():
                self.counts[outcome] += count
        return rows.select(
            pl.col("line_id").alias("id"),
            pl.lit(self.run_id).alias("run_id"),
            pl.col("line").alias("number"),
            "outcome",
            pl.lit(self.payer_id).alias("payer_id"),
            pl.col("reference").str.head(200),
            "item_id",
            "amount_minor",
            "currency",
            "content",
            "codes",
        )

    # -- the database, one chunk behind -----------------------------------------------------------

    def _store(
        self, refused: pl.DataFrame | None, accepted: pl.DataFrame | None, *, last: bool
    ) -> None:
        if refused is not None:
            bulk.copy(self.unit, "line", refused)
        waiting = [frame for frame in (self.rest, accepted) if frame is not None]
        if not waiting:
            return
        lines = pl.concat(waiting)
        if self.order.aggregated:
            self.rest = lines
            if last:
                self._place_sums(lines)
            return
        chosen, self.rest = cut(lines, self.batch_max, last=last)
        if chosen.height:
            self._place_cut(chosen, chosen.select("line_id", "reference"), chosen)

    def _place_sums(self, lines: pl.DataFrame) -> None:
        """Sum the accepted lines; where a sum may not be paid, all its lines are rejected."""
        summed = aggregate(lines)
        problems = beyond(summed, lines, self.bounds)
        if problems.height:
            self._reject(lines.join(problems.select("line", "code"), on="line"), problems)
            lines = lines.join(problems, on="line", how="anti", maintain_order="left")
            summed = aggregate(lines)
        if lines.height:
            items = summed.items.cast({"amount_minor": pl.Int64})
            chosen, _ = cut(items, self.batch_max, last=True)
            self._place_cut(chosen, summed.members, lines)

    def _reject(self, lines: pl.DataFrame, problems: pl.DataFrame) -> None:
        """Reject lines that were good one by one; they have a `code`."""
        rejected = pl.lit("rejected").alias("outcome")
        self.problems.append(problems)
        self.outcomes.append(lines.select("line", rejected))
        self.amounts.append(lines.select(rejected, "currency", "amount_minor"))
        self.counts["rejected"] += lines.height
        bulk.copy(
            self.unit,
            "line",
            lines.select(
                pl.col("line_id").alias("id"),
                pl.lit(self.run_id).alias("run_id"),
                pl.col("line").alias("number"),
                rejected,
                pl.lit(self.payer_id).alias("payer_id"),
                "reference",
                "amount_minor",
                "currency",
                "content",
                pl.col("code").alias("codes"),
            ),
        )

    def _place_cut(self, chosen: pl.DataFrame, members: pl.DataFrame, lines: pl.DataFrame) -> None:
        """Give keys, write items, batches and sealed payloads, then the accepted lines."""
        item_lo = bulk.take_keys(self.unit, "item_seq", chosen.height)
        batch_count = int(chosen["batch"].tail(1).item()) + 1
        batch_lo = bulk.take_keys(self.unit, "batch_seq", batch_count)
        items = self._wired(chosen).with_columns(
            (pl.int_range(pl.len(), dtype=pl.Int64) + item_lo).alias("item_id"),
            (pl.col("batch") + batch_lo).alias("batch_id"),
        )
        if "lines" not in items.columns:
            items = items.with_columns(lines=pl.lit(1, pl.Int64))
        items = self._encoded(items)
        self._batches(items)
        bulk.copy(
            self.unit,
            "item",
            items.select(
                pl.col("item_id").alias("id"),
                "batch_id",
                "line_id",
                "amount_minor",
                "wire_prefix",
                self.signer.accounts(items["account"]),
                "lines",
                "account_last4",
            ),
        )
        self._accepted_lines(items, members, lines)
        self.routes.append(
            items.group_by("provider", "method", "currency").agg(
                pl.len().alias("items"), pl.col("amount_minor").sum()
            )
        )
        self.batches += batch_count

    def _wired(self, items: pl.DataFrame) -> pl.DataFrame:
        """Add the wire references, in the same order."""
        if "intent" not in items.columns:
            return with_wires(items, signer=self.signer, payer=self.order.payer)
        parts = [
            with_wires(part, signer=self.signer, payer=self.order.payer, intent=int(intent))
            for (intent,), part in items.group_by("intent", maintain_order=True)
        ]
        return items.select("line_id").join(
            pl.concat(parts), on="line_id", how="left", maintain_order="left"
        )

    def _encoded(self, items: pl.DataFrame) -> pl.DataFrame:
        """Add `body`: the bytes that will be sent, by the connector of each provider."""
        shown = _shown(items)
        bodies = [
            part.select("item_id", body=self.encoders[str(provider)].encode(part))
            for (provider,), part in shown.group_by("provider", maintain_order=True)
        ]
        made = items.join(pl.concat(bodies), on="item_id", maintain_order="left")
        # Lanes read the wire reference from a body's end and cut a batch at its line feeds.
        ending = pl.concat_str(pl.lit('"'), "wire", pl.lit('"}'))
        whole = pl.col("body").str.ends_with(ending) & ~pl.col("body").str.contains(
            "\n", literal=True
        )
        if not made.select(whole.fill_null(value=False).all()).item():
            raise InvariantError("an encoder does not end its bodies with the wire reference")
        return made

    def _batches(self, items: pl.DataFrame) -> None:
        batches = items.group_by("batch_id", maintain_order=True).agg(
            pl.col("item_id").min().alias("lo"),
            pl.col("item_id").max().alias("hi"),
            pl.col("provider", "currency", "due_date").first(),
            pl.len().cast(pl.Int64).alias("items"),
            pl.col("amount_minor").sum(),
            pl.col("body").str.join("\n"),
        )
        bodies = [body.encode() for body in batches["body"].to_list()]
        digests = [hashlib.sha256(body).digest() for body in bodies]
        keys = [
            self._account_keys(provider, currency)
            for provider, currency in batches.select("provider", "currency").iter_rows()
        ]
        runs.insert_batches(
            self.unit,
            batches.select(
                pl.col("batch_id").alias("id"),
                pl.lit(self.run_id).alias("run_id"),
                "lo",
                "hi",
                "provider",
                pl.lit(self.order.funding).alias("funding"),
                "currency",
                "due_date",
                "items",
                "amount_minor",
                pl.Series("funding_id", [key.funding for key in keys]),
                pl.Series("reserved_id", [key.reserved for key in keys]),
                pl.Series("in_transit_id", [key.in_transit for key in keys]),
                pl.Series("paid_id", [key.paid for key in keys]),
                pl.Series("payload_hash", digests, dtype=pl.Binary),
            ),
        )
        sealed = [
            (batch_id, self.encoders[provider].encoder, *self.vault.seal(batch_id, body))
            for batch_id, provider, body in zip(
                batches["batch_id"].to_list(), batches["provider"].to_list(), bodies, strict=True
            )
        ]
        columns = ("batch_id", "encoder", "key_id", "data_key", "body")
        types = ("int8", "text", "text", "bytea", "bytea")
        bulk.copy_rows(self.unit, "batch_payload", columns, sealed, types)

    def _account_keys(self, provider: str, currency: str) -> runs.BatchAccounts:
        if (provider, currency) not in self.accounts:
            self.accounts[provider, currency] = runs.ensure_accounts(
                self.unit,
                funding=self.order.funding,
                run=str(self.run_id),
                provider=provider,
                currency=currency,
            )
        return self.accounts[provider, currency]

    def _accepted_lines(
        self, items: pl.DataFrame, members: pl.DataFrame, lines: pl.DataFrame
    ) -> None:
        paid = members.join(
            items.select(pl.col("reference"), "item_id"),
            on="reference",
            how="left",
            maintain_order="left",
        ).select("line_id", "item_id")
        rows = lines.join(paid, on="line_id", how="left", maintain_order="left")
        if rows["item_id"].null_count() or int(rows["amount_minor"].sum()) != int(
            items["amount_minor"].sum()
        ):
            raise InvariantError("the accepted lines and their items do not add up")
        if self.order.aggregated:
            require_sums(items.select("item_id", "amount_minor", "lines"), rows)
        self.counts["accepted"] += rows.height
        for currency, amount in rows.group_by("currency").agg(pl.col("amount_minor").sum()).rows():
            self.totals[currency] = self.totals.get(currency, 0) + amount
        bulk.copy(
            self.unit,
            "line",
            rows.select(
                pl.col("line_id").alias("id"),
                pl.lit(self.run_id).alias("run_id"),
                pl.col("line").alias("number"),
                pl.lit("accepted").alias("outcome"),
                pl.lit(self.payer_id).alias("payer_id"),
                "reference",
                "item_id",
                "amount_minor",
                "currency",
                "content",
                "codes",
                *(name for name in ("intent", "replaces") if name in rows.columns),
            ),
        )

    # -- the end ----------------------------------------------------------------------------------

    def _close(self) -> LoadResult:
        if self.lines != self.survey.lines or self.lines != sum(self.counts.values()):
            raise InvariantError(
                f"{self.survey.lines} lines were counted, {self.lines} read and"
                f" {sum(self.counts.values())} accounted for"
            )
        counts = {outcome: count for outcome, count in self.counts.items() if count}
        runs.close_load(
            self.unit,
            self.run_id,
            read=self.lines,
            counts=counts,
            totals=self.totals,
        )
        result = LoadResult(
            self.run_id,
            lines=self.lines,
            counts=counts,
            totals=self.totals,
            amounts=_summed(self.amounts),
            routes=_routes(self.routes),
            problems=pl.concat(self.problems) if self.problems else no_problems(),
            outcomes=pl.concat(self.outcomes) if self.outcomes else _NO_OUTCOMES,
            batches=self.batches,
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
            for currency in sorted(self.totals):
                amount = fund.open_account(
                    self.unit, self.order.funding, currency, self.order.opening_minor[currency]
                )
                if amount:
                    result.opened[currency] = amount
        rejected = result.counts.get("rejected", 0)
        if rejected > self.order.reject_share_max * self.lines:
            share = f"{100 * rejected / self.lines:.1f} % of the lines are rejected"
            result.holds.append(("rejects", share))
        if self.order.again is None:
            likeness = alike(self.unit, self.run_id, self.repeats, result.counts["accepted"])
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


def _shown(items: pl.DataFrame) -> pl.DataFrame:
    """The items as the payee's bank will see them.

    A reference that we made ourselves (a fingerprint, a sum) says nothing to a payee; SEPA names
    and descriptions are spelled in the characters that SEPA has, as the warnings of the line say.
    """
    reference = pl.col("note") if "note" in items.columns else pl.col("reference")
    ours = reference.str.contains(r"^(fp|sum):")
    shown = items.with_columns(reference=pl.when(~ours).then(reference))
    if not (shown["method"] == "sepa").any():
        return shown
    return shown.with_columns(
        pl.when(pl.col("method") == "sepa")
        .then(sepa_text(pl.col(name)))
        .otherwise(pl.col(name))
        .alias(name)
        for name in ("name", "description", "reference")
    )


_NO_OUTCOMES = pl.DataFrame(schema={"line": pl.Int64, "outcome": pl.String})


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


def _transformed(
    lines: pl.DataFrame, transform: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.DataFrame:
    """A pipeline may change values, never which lines there are (P2)."""
    changed = transform(lines)
    if changed.schema != lines.schema or not changed["line"].equals(lines["line"]):
        raise FileRefusedError(
            "the pipeline's transform added, dropped or reordered lines or columns",
            hint="Let it change values only; every line of a file must stay accounted for.",
            code="E_TRANSFORM",
        )
    return changed


def _require_own_references(before: pl.Series, accepted: pl.DataFrame) -> pl.Series:
    """Hashes of all references so far; a transform must not give two lines the same one."""
    hashes = accepted["reference"].hash(seed=3)
    twice = accepted.filter(hashes.is_duplicated() | hashes.is_in(before.implode()))
    if twice.height:
        lines = ", ".join(str(line) for line in twice["line"].head(5))
        raise FileRefusedError(
            f"the pipeline's transform gives lines a reference that others have: {lines}",
            hint="A reference names one payment; let the transform keep them apart.",
            code="E_TRANSFORM",
        )
    return pl.concat([before, hashes])


def _again(good: pl.DataFrame, again: Again) -> pl.DataFrame:
    """Give lines the identities under which they are paid again; `note` is what people see."""
    return good.rename({"reference": "note"}).join(
        again.lines, on="line", how="inner", maintain_order="left"
    )


def _readable(lines: pl.DataFrame) -> pl.DataFrame:
    """Reference, amount_minor and currency of lines that are not paid, as far as they are known.

    The closing proof adds up the money of every line whose amount makes sense, paid or not.
    """
    code = pl.col("currency").str.to_uppercase()
    exponents = pl.DataFrame(
        [(name, unit.exponent) for name, unit in CURRENCIES.items()],
        schema={"currency": pl.String, "exponent": pl.Int8},
        orient="row",
    )
    known = lines.select("line", "reference", "amount", code).join(
        exponents, on="currency", how="left", maintain_order="left"
    )
    return with_minor(known).select(
        "line",
        "reference",
        "amount_minor",
        pl.when(pl.col("amount_minor").is_not_null()).then("currency").alias("currency"),
    )


def _summed(amounts: list[pl.DataFrame]) -> pl.DataFrame:
    if not amounts:
        return pl.DataFrame(schema={"outcome": pl.String, "currency": pl.String})
    return (
        pl.concat(amounts)
        .group_by("outcome", "currency")
        .agg(pl.col("amount_minor").sum(), pl.len())
    ).sort("outcome", "currency")


def _routes(routes: list[pl.DataFrame]) -> pl.DataFrame:
    if not routes:
        return pl.DataFrame(schema={"provider": pl.String, "method": pl.String})
    return (
        pl.concat(routes)
        .group_by("provider", "method", "currency")
        .agg(pl.col("items").sum(), pl.col("amount_minor").sum())
        .sort("provider", "currency", "method")
    )


def explained(code: str) -> str:
    """The one-sentence meaning of a problem code."""
    kind = KINDS.get(code)
    return kind.message if kind else code
