"""Quintet: an invented fifth platform, as somebody who adds one would write its connector.

`POST /transfers` takes up to 50 transfers, `GET /transfers/{id}` reads one and
`GET /transfers?reference=…` finds them by our reference. A reference with the same content brings
the first transfer back, however requests are cut; so the level is C2. Amounts are decimal texts in
major units. The twin in `quintet_twin.py` plays it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import polars as pl

from payouts.core.capabilities import Capabilities
from payouts.core.errors import InvariantError
from payouts.core.outcomes import Answer, Verdict, of_failure, of_status
from payouts.providers import encode, strict
from payouts.providers.client import Exchange, Request
from payouts.providers.connector import Reading, Sent, fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERDICTS = {
    "queued": Verdict.PROCESSING,
    "paid": Verdict.SETTLED,
    "rejected": Verdict.REJECTED,
}
_DAY_S = 86_400.0


def connect(base_url: str, *, token: str = "quintet-token") -> Quintet:  # noqa: S107  the twin's own
    """What `[connectors.quintet]` calls."""
    return Quintet(base_url, token)


class Quintet:
    """The connector."""

    name = "quintet"
    encoder = "quintet-1"

    def __init__(self, base_url: str, token: str) -> None:
        self.base_url = base_url
        self.headers = {"Authorization": f"Bearer {token}"}
        self.account_fingerprint = fingerprint(base_url, token)
        self.capabilities = Capabilities(
            batch_max=50,
            per_request=50,
            idempotent=True,
            key_life_s=_DAY_S,
            lookup_by_reference=True,
            poll_by_id=True,
            cancel=False,
            concurrency=4,
        )

    def encode(self, items: pl.DataFrame) -> pl.Series:
        """One transfer per item; our wire reference comes last."""
        text, col = encode.json_text, pl.col
        amount = encode.major_units(col("amount_minor"), col("exponent").cast(pl.Int64))
        body = encode.json_object(
            {
                "amount": text(amount),
                "currency": text(col("currency")),
                "account": text(col("account")),
                "name": text(col("name")),
                "reference": text(col("wire")),
            }
        )
        return items.select(body.alias("body")).to_series()

    def submission(self, bodies: Sequence[bytes], key: str) -> Request:
        """`POST /transfers`."""
        return Request(
            "POST",
            "/transfers",
            body=b'{"transfers":[' + b",".join(bodies) + b"]}",
            headers={"Content-Type": "application/json", "X-Request": key},
            moves_money=True,
        )

    def answer(self, exchange: Exchange) -> Answer:
        """By status alone."""
        if exchange.failure is not None:
            return of_failure(exchange.failure)
        return of_status(exchange.status)

    def read(self, exchange: Exchange, sent: Sent) -> Reading:
        """Transfers are matched by reference, never by position."""
        rows = _rows(exchange)
        said: dict[str, Any] = {}
        twice = set()
        for row in rows:
            wire = str(row.get("reference"))
            if wire in said and said[wire] != row:
                twice.add(wire)
            said[wire] = row
        found = [
            (Verdict.UNCLEAR, None, None, "listed_twice")
            if wire in twice
            else _transfer(said.get(wire), amount, sent)
            for wire, amount in zip(sent.wires, sent.amounts, strict=True)
        ]
        verdicts, refs, statuses, codes = map(list, zip(*found, strict=True))
        known = set(sent.wires)
        return Reading(verdicts, refs, statuses, codes, [w for w in said if w not in known])

    def poll(self, ref: str) -> Request:
        """`GET /transfers/{id}`."""
        return Request("GET", f"/transfers/{quote(ref, safe='')}")

    def read_poll(self, exchange: Exchange, sent: Sent) -> Reading:
        """One transfer."""
        row = strict.loads(exchange.body)
        verdict, ref, status, code = _transfer(row, sent.amounts[0], sent)
        if isinstance(row, dict) and row.get("reference") != sent.wires[0]:
            verdict, code = Verdict.MISMATCH, "reference_differs"
        return Reading([verdict], [ref], [status], [code], [])

    def find(self, wire: str) -> Request:
        """`GET /transfers?reference=…`."""
        return Request("GET", f"/transfers?reference={quote(wire, safe='')}")

    def read_find(self, exchange: Exchange, sent: Sent) -> Reading | None:
        """The transfer of our reference; none where there is none; two of them are no answer."""
        rows = [row for row in _rows(exchange) if row.get("reference") == sent.wires[0]]
        if not rows:
            return None
        if len(rows) > 1:
            return Reading([Verdict.MISMATCH], [None], [None], ["found_twice"], [])
        verdict, ref, status, code = _transfer(rows[0], sent.amounts[0], sent)
        return Reading([verdict], [ref], [status], [code], [])

    def cancel(self, ref: str) -> Request:
        """There is no route."""
        raise InvariantError(f"Quintet has no route that cancels {ref}")


def _rows(exchange: Exchange) -> list[dict[str, Any]]:
    said = strict.loads(exchange.body)
    rows = said.get("transfers") if isinstance(said, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise strict.UnreadableError("no list of transfers")
    return rows


def _transfer(
    row: object, amount: int, sent: Sent
) -> tuple[Verdict, str | None, str | None, str | None]:
    if not isinstance(row, dict):
        return Verdict.UNCLEAR, None, None, "not_in_reply"
    ref, status = strict.ident(row.get("id")), strict.word(row.get("state"))
    code = strict.word(row.get("reason"))
    verdict = _VERDICTS.get(status or "")
    if verdict is None:
        return Verdict.UNCLEAR, ref, status, "unknown_status_word"
    if verdict is Verdict.REJECTED:
        return verdict, ref, status, code or "rejected"
    echoed = row.get("amount")
    exact = isinstance(echoed, str) and echoed.replace(".", "", 1).isdigit()
    if not exact or Decimal(str(echoed)).scaleb(sent.exponent) != amount:
        return Verdict.MISMATCH, ref, status, "amount_differs"
    if row.get("currency") != sent.currency:
        return Verdict.MISMATCH, ref, status, "amount_differs"
    return (verdict, ref, status, code) if ref else (Verdict.UNCLEAR, None, status, "no_id")
