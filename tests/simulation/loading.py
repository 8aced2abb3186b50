"""Loading for schedules: a real file through the real load, or the same store functions directly.

The quick way writes what a load of a clean file writes, without reading one; it takes a fifth of
the time. References and wire references are computed here once more, from their definition.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from base64 import b32decode, b32encode
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl
from sqlalchemy import text

from payouts import jobs
from payouts.flows import fund
from payouts.flows.identity import Signer
from payouts.flows.load import LoadOrder, load
from payouts.intake import coverage
from payouts.intake.checks import Rules
from payouts.intake.survey import survey
from payouts.providers.orkesta import Orkesta
from payouts.providers.orkestra import Orkestra
from payouts.store import bulk, runs
from payouts.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from payouts.flows.load import LoadResult
    from payouts.providers.connector import Connector
    from tests.simulation.stage import Stage

__all__ = ["Office", "make_office", "prefix_of", "wire_of"]

KEY = b"k" * 32
_HEAD = "reference,name,country,currency,amount,method,account"
_LINES = {
    "orkesta": "{0},Ada Lovelace,TR,TRY,{1},bank_transfer,TR330006100519786457841326",
    "orkestra": "{0},Ada Lovelace,DE,EUR,{1},sepa,DE89370400440532013000",
}
CURRENCY = {"orkesta": "TRY", "orkestra": "EUR"}
_MARK_AMOUNT, _MARK_WIRE = 7_654_321, "P" + "Z" * 31


def wire_of(payer: str, reference: str, intent: int = 1) -> str:
    """The wire reference, from its definition (ARCHITECTURE §5)."""
    message = f"{payer}\0{reference}\0{intent}\0v1".encode()
    digest = hmac.digest(KEY, message, hashlib.sha256)
    return "P" + b32encode(digest[:20])[:31].decode()


def prefix_of(wire: str) -> int:
    """The first 8 bytes behind a wire reference, as the database's index has them."""
    return int.from_bytes(b32decode(wire[1:17])[:8], "big", signed=True)


@dataclass
class Office:
    """Loads the items of schedules.

    Args:
        folder: where files are written.
    """

    stage: Stage
    folder: Path
    connectors: dict[str, Connector]
    vault: Vault = field(default_factory=lambda: Vault(b"v" * 32))
    signer: Signer = field(default_factory=lambda: Signer(KEY))
    files: int = 0
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self._coverage = coverage.load()
        self._bodies = {name: self._body(name) for name in self.connectors}

    def file(
        self, payer: str, provider: str, lines: Sequence[tuple[str, int]], batch_max: int
    ) -> LoadResult:
        """Drop a file with these (reference, minor units) and load it."""
        self.files += 1
        path = self.folder / f"{self.files}.csv"
        rows = [
            _LINES[provider].format(reference, f"{amount // 100}.{amount % 100:02d}")
            for reference, amount in lines
        ]
        path.write_text("\n".join([_HEAD, *rows]) + "\n")
        try:
            return load(
                self.stage,
                survey(path),
                Rules(self._coverage, "sandbox", date(2026, 11, 20)),
                LoadOrder(
                    payer=payer,
                    pipeline="disbursement",
                    period="2026-11-20",
                    source_name=path.name,
                    source_copy=path.name,
                    funding=payer,
                    policy="auto",
                    actor="policy:sandbox",
                    reject_share_max=1.0,
                    opening_minor=defaultdict(lambda: 100_000_000),
                ),
                encoders=self.connectors,
                batch_max={provider: batch_max},
                signer=self.signer,
                vault=self.vault,
            )
        finally:
            path.unlink()

    def quick(
        self, payer: str, provider: str, lines: Sequence[tuple[str, int]], batch_max: int
    ) -> int:
        """What a load of a clean file writes; returns the run."""
        currency, total = CURRENCY[provider], sum(amount for _, amount in lines)
        with self.stage.unit() as unit:
            payer_id = runs.ensure_payer(unit, payer)
            digest = hashlib.sha256(payer.encode()).hexdigest()
            line_lo = bulk.take_keys(unit, "line_seq", len(lines))
            new = runs.NewRun(
                line_lo=line_lo,
                line_hi=line_lo + len(lines) - 1,
                payer_id=payer_id,
                pipeline="disbursement",
                slot=None,
                period="2026-11-20",
                source_name=payer,
                source_copy=payer,
                source_sha256=digest,
                source_bytes=1,
                funding=payer,
                policy="auto",
                detected={},
            )
            run = runs.open_run(unit, new)
            item_lo = bulk.take_keys(unit, "item_seq", len(lines))
            starts = range(0, len(lines), batch_max)
            batch_lo = bulk.take_keys(unit, "batch_seq", len(starts))
            accounts = runs.ensure_accounts(
                unit, funding=payer, run=str(run), provider=provider, currency=currency
            )
            wires = [wire_of(payer, reference) for reference, _ in lines]
            batches, sealed = [], []
            for place, start in enumerate(starts):
                part = range(start, min(start + batch_max, len(lines)))
                body = b"\n".join(self._made(provider, lines[i][1], wires[i]) for i in part)
                sha = hashlib.sha256(body).digest()
                key = batch_lo + place
                amount = sum(lines[i][1] for i in part)
                batches.append(
                    (
                        key,
                        run,
                        item_lo + part[0],
                        item_lo + part[-1],
                        provider,
                        payer,
                        currency,
                        None,
                        len(part),
                        amount,
                        *_keys(accounts),
                        sha,
                    )
                )
                sealed.append((key, "sim", *self.vault.seal(key, body)))
            runs.insert_batches(unit, pl.DataFrame(batches, schema=_BATCH, orient="row"))
            bulk.copy_rows(unit, "batch_payload", _PAYLOAD, sealed)
            bulk.copy_rows(
                unit,
                "item",
                ("id", "batch_id", "line_id", "amount_minor", "wire_prefix", "account_last4"),
                [
                    (
                        item_lo + i,
                        batch_lo + i // batch_max,
                        line_lo + i,
                        amount,
                        prefix_of(wire),
                        "3000",
                    )
                    for i, ((_, amount), wire) in enumerate(zip(lines, wires, strict=True))
                ],
            )
            bulk.copy_rows(
                unit,
                "line",
                (
                    *("id", "run_id", "number", "outcome", "payer_id", "reference", "item_id"),
                    "amount_minor",
                    "currency",
                    "content",
                ),
                [
                    (
                        line_lo + i,
                        run,
                        i + 2,
                        "accepted",
                        payer_id,
                        reference,
                        item_lo + i,
                        amount,
                        currency,
                        wires[i].encode(),
                    )
                    for i, (reference, amount) in enumerate(lines)
                ],
            )
            runs.close_load(
                unit,
                run,
                read=len(lines),
                counts={"accepted": len(lines)},
                totals={currency: total},
            )
            fund.open_account(unit, payer, currency, 100_000_000)
            runs.approve(unit, run, actor="policy:sandbox")
            jobs.enqueue_lanes(unit, runs.lanes(unit, run))
        return run

    def wires(self, payer: str) -> dict[int, str]:
        """Item key -> wire reference of everything that a payer has accepted lines of."""
        with self.stage.reading() as connection:
            rows = connection.execute(
                text(
                    "SELECT l.item_id, l.reference, l.intent FROM line l JOIN payer p"
                    " ON p.id = l.payer_id WHERE p.name = :payer AND l.outcome = 'accepted'"
                ),
                {"payer": payer},
            )
            return {item: wire_of(payer, reference, intent) for item, reference, intent in rows}

    # -- bodies -----------------------------------------------------------------------------------

    def _body(self, provider: str) -> bytes:
        """The connector's own encoding of one item, with marks where the items differ."""
        row: dict[str, Any] = dict.fromkeys(
            (
                "description",
                "bank_code",
                "branch_code",
                "account_type",
                "document",
                "document_kind",
                "network",
                "email",
                "phone",
            )
        )
        account = _LINES[provider].rpartition(",")[2]
        row |= {"amount_minor": _MARK_AMOUNT, "exponent": 2, "currency": CURRENCY[provider]}
        row |= {"method": _LINES[provider].split(",")[5], "account": account, "wire": _MARK_WIRE}
        row |= {"name": "Ada Lovelace", "reference": "R"}
        schema = {
            name: pl.Int64 if name in {"amount_minor", "exponent"} else pl.String for name in row
        }
        frame = pl.DataFrame([row], schema=schema)
        body = str(self.connectors[provider].encode(frame).item())
        assert json.loads(body)
        return body.encode()

    def _made(self, provider: str, amount: int, wire: str) -> bytes:
        shown = (b"7654321", b"%d" % amount)
        if provider != "orkesta":
            shown = (b"76543.21", b"%d.%02d" % divmod(amount, 100))
        body = self._bodies[provider]
        assert body.count(shown[0]) == 1
        return body.replace(*shown).replace(_MARK_WIRE.encode(), wire.encode())


_PAYLOAD = ("batch_id", "encoder", "key_id", "data_key", "body")
_BATCH: dict[str, Any] = {
    "id": pl.Int64,
    "run_id": pl.Int64,
    "lo": pl.Int64,
    "hi": pl.Int64,
    "provider": pl.String,
    "funding": pl.String,
    "currency": pl.String,
    "due_date": pl.Date,
    "items": pl.Int64,
    "amount_minor": pl.Int64,
    "funding_id": pl.Int64,
    "reserved_id": pl.Int64,
    "in_transit_id": pl.Int64,
    "paid_id": pl.Int64,
    "payload_hash": pl.Binary,
}


def _keys(accounts: runs.BatchAccounts) -> tuple[int, int, int, int]:
    return accounts.funding, accounts.reserved, accounts.in_transit, accounts.paid


def connectors() -> dict[str, Connector]:
    """The product's connectors, as they are wired."""
    return {
        "orkesta": Orkesta("http://x", api_key="k", from_accounts={"TRY": "acc_1"}),
        "orkestra": Orkestra("http://x", key_id="k", secret="s"),  # noqa: S106  nobody listens
    }


def make_office(stage: Stage, folder: Path) -> Office:
    """Whoever loads the items of schedules."""
    return Office(stage, folder, connectors())
