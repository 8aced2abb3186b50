"""Placing: accepted lines become items in sealed batches, and rows of the database.

It has two halves that work beside each other on different chunks: `prepare` computes (references,
bodies, encryption) and touches no database; `write` copies what was prepared and computes nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.core.errors import InvariantError
from payouts.flows.aggregate import require_sums
from payouts.flows.identity import with_wires
from payouts.intake.fields import sepa_text
from payouts.store import bulk, runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from payouts.core.sealed import Sealed
    from payouts.flows.identity import Signer
    from payouts.flows.order import Encoder, LoadOrder
    from payouts.store.bulk import Rows
    from payouts.vault import Sealer

__all__ = ["Cut", "Placed", "Placing"]

_PAYLOAD: Final = ("batch_id", "encoder", "key_id", "data_key", "body")
_PAYLOAD_TYPES: Final = ("int8", "text", "text", "bytea", "bytea")


@dataclass(frozen=True, slots=True)
class Cut:
    """Items that were cut into batches, and the lines that they pay.

    Args:
        items: what `flows.cut` gives, in batch order, with `line_id` of each item's first line.
        item_lo: key of the first item; the others follow.
        batch_lo: key of the first batch; the others follow.
        lines: the accepted lines, where several may be in one item; else `items` are the lines.
        members: `line_id` and `reference` of the item, for `lines`.
    """

    items: pl.DataFrame
    item_lo: int
    batch_lo: int
    lines: pl.DataFrame | None = None
    members: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Rows that are ready to be written, in the order in which they are."""

    batches: pl.DataFrame
    payloads: Sequence[tuple[int, str, str, bytes, bytes]]
    items: Rows
    lines: Rows


class Placing:
    """Places the accepted lines of one run.

    Args:
        encoders: by provider.
    """

    def __init__(
        self,
        order: LoadOrder,
        *,
        run_id: int,
        payer_id: int,
        encoders: Mapping[str, Encoder],
        signer: Signer,
        vault: Sealer,
    ) -> None:
        self._order, self._run_id, self._payer_id = order, run_id, payer_id
        self._encoders, self._signer, self._vault = encoders, signer, vault
        self._routes: list[pl.DataFrame] = []
        self._accounts: dict[tuple[str, str], runs.BatchAccounts] = {}
        self.accepted = 0
        self.batches = 0
        self.totals: dict[str, int] = {}

    # -- computing ------------------------------------------------------------------------------

    def refused(self, lines: pl.DataFrame) -> Rows:
        """Rows of lines that are not paid (`flows.claim`)."""
        return bulk.rows(
            lines.select(
                *self._of_run(),
                "outcome",
                pl.col("reference").str.head(200),
                "item_id",
                "amount_minor",
                "currency",
                "content",
                "codes",
            )
        )

    def prepare(self, made: Cut) -> Placed:
        """Give references, bodies and seals to items."""
        items = self._wired(made.items).with_columns(
            (pl.int_range(pl.len(), dtype=pl.Int64) + made.item_lo).alias("item_id"),
            (pl.col("batch") + made.batch_lo).alias("batch_id"),
        )
        if "lines" not in items.columns:
            items = items.with_columns(lines=pl.lit(1, pl.Int64))
        items = items.with_columns(self._bodies(items))
        batches, payloads = self._sealed(items)
        self._routes.append(
            items.group_by("provider", "method", "currency").agg(
                pl.len().alias("items"), pl.col("amount_minor").sum()
            )
        )
        self.batches += batches.height
        rows = bulk.rows(
            items.select(
                pl.col("item_id").alias("id"),
                "batch_id",
                "line_id",
                "amount_minor",
                "wire_prefix",
                self._signer.accounts(items["account"]),
                "lines",
                "account_last4",
            )
        )
        return Placed(batches, payloads, rows, self._lines(items, made))

    def _of_run(self) -> list[pl.Expr]:
        return [
            pl.col("line_id").alias("id"),
            pl.lit(self._run_id).alias("run_id"),
            pl.col("line").alias("number"),
            pl.lit(self._payer_id).alias("payer_id"),
        ]

    def _wired(self, items: pl.DataFrame) -> pl.DataFrame:
        """Add the wire references, in the same order."""
        if "intent" not in items.columns:
            return with_wires(items, signer=self._signer, payer=self._order.payer)
        parts = [
            with_wires(part, signer=self._signer, payer=self._order.payer, intent=int(intent))
            for (intent,), part in items.group_by("intent", maintain_order=True)
        ]
        return items.select("line_id").join(
            pl.concat(parts), on="line_id", how="left", maintain_order="left"
        )

    def _bodies(self, items: pl.DataFrame) -> pl.Series:
        """The bytes that will be sent of each item, by the connector of its provider."""
        shown = _shown(items)
        providers = items["provider"].unique().to_list()
        if len(providers) == 1:
            made = self._encoders[providers[0]].encode(shown).alias("body")
        else:
            bodies = [
                part.select("item_id", body=self._encoders[str(provider)].encode(part))
                for (provider,), part in shown.group_by("provider", maintain_order=True)
            ]
            keys = items.select("item_id")
            made = keys.join(pl.concat(bodies), on="item_id", maintain_order="left")["body"]
        # Lanes read the wire reference from a body's end and cut a batch at its line feeds.
        ending = pl.concat_str(pl.lit('"'), "wire", pl.lit('"}'))
        body = pl.col("body")
        whole = body.str.ends_with(ending) & ~body.str.contains("\n", literal=True)
        held = pl.DataFrame([made, items["wire"]]).select(whole.fill_null(value=False).all())
        if made.len() != items.height or not held.item():
            raise InvariantError("an encoder does not end its bodies with the wire reference")
        return made

    def _sealed(
        self, items: pl.DataFrame
    ) -> tuple[pl.DataFrame, list[tuple[int, str, str, bytes, bytes]]]:
        """Rows of `batch` but for their accounts, and those of `batch_payload`."""
        batches = items.group_by("batch_id", maintain_order=True).agg(
            pl.col("item_id").min().alias("lo"),
            pl.col("item_id").max().alias("hi"),
            pl.col("provider", "currency", "due_date").first(),
            pl.len().cast(pl.Int64).alias("items"),
            pl.col("amount_minor").sum(),
            pl.col("body").str.join("\n"),
        )
        payloads: list[tuple[int, str, str, bytes, bytes]] = []
        digests: list[bytes] = []
        for batch_id, provider, text in batches.select("batch_id", "provider", "body").iter_rows():
            body = text.encode()
            digests.append(hashlib.sha256(body).digest())
            sealed: Sealed = self._vault.seal(batch_id, body)
            payloads.append((batch_id, self._encoders[provider].encoder, *sealed))
        hashes = pl.Series("payload_hash", digests, dtype=pl.Binary)
        return batches.drop("body").with_columns(hashes), payloads

    def _lines(self, items: pl.DataFrame, made: Cut) -> Rows:
        """Rows of the accepted lines, each with the key of its item."""
        if made.lines is None or made.members is None:
            rows = items
        else:
            paid = made.members.join(
                items.select("reference", "item_id"),
                on="reference",
                how="left",
                maintain_order="left",
            ).select("line_id", "item_id")
            rows = made.lines.join(paid, on="line_id", how="left", maintain_order="left")
        if rows["item_id"].null_count() or int(rows["amount_minor"].sum()) != int(
            items["amount_minor"].sum()
        ):
            raise InvariantError("the accepted lines and their items do not add up")
        if self._order.aggregated:
            require_sums(items.select("item_id", "amount_minor", "lines"), rows)
        self.accepted += rows.height
        for currency, amount in rows.group_by("currency").agg(pl.col("amount_minor").sum()).rows():
            self.totals[currency] = self.totals.get(currency, 0) + amount
        return bulk.rows(
            rows.select(
                *self._of_run(),
                pl.lit("accepted").alias("outcome"),
                "reference",
                "item_id",
                "amount_minor",
                "currency",
                "content",
                "codes",
                *(name for name in ("intent", "replaces") if name in rows.columns),
            )
        )

    # -- writing --------------------------------------------------------------------------------

    def write(self, unit: Connection, placed: Placed) -> None:
        """Copy what was prepared into the tables; nothing refers to what is not there yet."""
        accounts = self._ledger_accounts(unit, placed.batches)
        runs.insert_batches(
            unit,
            placed.batches.join(
                accounts, on=("provider", "currency"), maintain_order="left"
            ).select(
                pl.col("batch_id").alias("id"),
                pl.lit(self._run_id).alias("run_id"),
                "lo",
                "hi",
                "provider",
                pl.lit(self._order.funding).alias("funding"),
                "currency",
                "due_date",
                "items",
                "amount_minor",
                "funding_id",
                "reserved_id",
                "in_transit_id",
                "paid_id",
                "payload_hash",
            ),
        )
        bulk.copy_rows(unit, "batch_payload", _PAYLOAD, placed.payloads, _PAYLOAD_TYPES)
        bulk.write(unit, "item", placed.items)
        bulk.write(unit, "line", placed.lines)

    def _ledger_accounts(self, unit: Connection, batches: pl.DataFrame) -> pl.DataFrame:
        """The ledger's accounts by provider and currency, made on first use."""
        for provider, currency in batches.select("provider", "currency").unique().iter_rows():
            if (provider, currency) not in self._accounts:
                self._accounts[provider, currency] = runs.ensure_accounts(
                    unit,
                    funding=self._order.funding,
                    run=str(self._run_id),
                    provider=provider,
                    currency=currency,
                )
        return pl.DataFrame(
            [
                (provider, currency, made.funding, made.reserved, made.in_transit, made.paid)
                for (provider, currency), made in self._accounts.items()
            ],
            schema={
                "provider": pl.String,
                "currency": pl.String,
                "funding_id": pl.Int64,
                "reserved_id": pl.Int64,
                "in_transit_id": pl.Int64,
                "paid_id": pl.Int64,
            },
            orient="row",
        )

    @property
    def routes(self) -> pl.DataFrame:
        """provider, method, currency, items, amount_minor of all that was placed."""
        if not self._routes:
            return pl.DataFrame(schema={"provider": pl.String, "method": pl.String})
        return (
            pl.concat(self._routes)
            .group_by("provider", "method", "currency")
            .agg(pl.col("items").sum(), pl.col("amount_minor").sum())
            .sort("provider", "currency", "method")
        )


def _shown(items: pl.DataFrame) -> pl.DataFrame:
    """The items as the payee's bank will see them.

    A reference that we made ourselves (a fingerprint, a sum) says nothing to a payee; SEPA names
    and descriptions are spelled in the characters that SEPA has, as the warnings of the line say.
    """
    reference = pl.col("note") if "note" in items.columns else pl.col("reference")
    ours = reference.str.starts_with("fp:") | reference.str.starts_with("sum:")
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
