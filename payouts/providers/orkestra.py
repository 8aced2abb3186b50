"""Orkestra: single payouts with `referenceId`, over the whole coverage table (PROVIDERS §4).

Amounts are decimals in major units. The same `referenceId` with the same body returns the first
payout (A-ORK-6), so the re-send of an unclear item inside the key's life is the look-up: level C1.
"""

from __future__ import annotations

from base64 import b64encode
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
from payouts.providers.events import PAYMENT, Event, amount_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Orkestra"]

_VERDICTS = {
    "PENDING": Verdict.PROCESSING,
    "PAID": Verdict.SETTLED,
    "FAILED": Verdict.REJECTED,
    "CANCELLED": Verdict.CANCELLED,
    "RETURNED": Verdict.RETURNED,  # A-ORK-11
}
_DAY_S = 86_400.0
_ORDERS = frozenset({"charges", "transactions", "paidAmount", "merchantOrderId"})
_REFUNDS = frozenset({"transactionId", "refundId"})
_E164 = r"^\+[1-9][0-9]{6,14}$"  # the form that the Pix page asks for; an optional field


class Orkestra:
    """The connector.

    Args:
        base_url: the path prefix is configuration (A-ORK-2).
        key_id: HTTP Basic user (A-ORK-1).
        secret: HTTP Basic password.
        concurrency: payouts in flight.
        key_life_s: how long `referenceId` is remembered (A-ORK-10); 0 means never re-send.
    """

    name = "orkestra"
    encoder = "orkestra-1"

    def __init__(
        self,
        base_url: str,
        *,
        key_id: str,
        secret: str,
        concurrency: int = 16,
        key_life_s: float = _DAY_S,
    ) -> None:
        self.base_url = base_url
        token = b64encode(f"{key_id}:{secret}".encode()).decode("ascii")
        self.headers = {"Authorization": f"Basic {token}"}
        self.account_fingerprint = fingerprint(base_url, key_id)
        self.capabilities = Capabilities(
            batch_max=500,
            per_request=1,
            idempotent=key_life_s > 0,
            key_life_s=key_life_s,
            lookup_by_reference=False,
            poll_by_id=True,
            cancel=False,
            concurrency=concurrency,
        )

    def encode(self, items: pl.DataFrame) -> pl.Series:
        """One payout object per item: PIX and SPEI as documented, other rails as A-ORK-5."""
        text, col = encode.json_text, pl.col
        first, last = _names(col("name"))
        kind = col("document_kind").str.to_lowercase()
        document_kind = text(col("document_kind").str.to_uppercase())
        pix = col("method") == "pix"
        receiving = encode.json_object(
            {
                "key": text(col("account")),
                "document": pl.when(pix).then(text(col("document"))),
                "documentType": pl.when(pix).then(document_kind),
                "bankCode": text(col("bank_code")),
                "branchCode": text(col("branch_code")),
                "accountType": text(col("account_type").str.to_uppercase()),
                "network": text(col("network")),
            }
        )
        beneficiary = encode.json_object(
            {
                "firstName": text(first),
                "lastName": text(last),
                "type": pl.when(_is_company(kind, col("document")))
                .then(pl.lit('"BUSINESS"'))
                .otherwise(pl.lit('"INDIVIDUAL"')),
                "document": text(col("document")),
                "documentType": document_kind,
                "emailAddress": text(col("email")),
                "phoneNumber": pl.when(col("phone").str.contains(_E164)).then(text(col("phone"))),
            }
        )
        body = encode.json_object(
            {
                "amount": encode.major_units(col("amount_minor"), col("exponent").cast(pl.Int64)),
                "currency": text(col("currency")),
                "paymentMethod": text(col("method").str.to_uppercase()),
                "receivingBankAccount": receiving,
                "beneficiary": beneficiary,
                "description": text(encode.payee_note()),
                "referenceId": text(col("wire")),
            }
        )
        return items.select(body.alias("body")).to_series()

    def submission(self, bodies: Sequence[bytes], key: str) -> Request:  # noqa: ARG002  the key is inside the body
        """`POST /payouts` (A-ORK-2)."""
        return Request(
            "POST",
            "/payouts",
            body=bodies[0],
            headers={"Content-Type": "application/json"},
            moves_money=True,
        )

    def answer(self, exchange: Exchange) -> Answer:
        """A 400 or 422 for a single payout is a rejection of that payout (A-ORK-7)."""
        if exchange.failure is not None:
            return of_failure(exchange.failure)
        answer = of_status(exchange.status)
        return Answer.REJECTED if answer is Answer.POISONED else answer

    def read(self, exchange: Exchange, sent: Sent) -> Reading:
        """The payout object that a submission returns, first or replayed, or why it was refused."""
        if self.answer(exchange) is Answer.REJECTED:
            return Reading([Verdict.REJECTED], [None], [None], [_refusal(exchange)], [])
        return self.read_poll(exchange, sent)

    def poll(self, ref: str) -> Request:
        """`GET /payouts/{id}` (A-ORK-2)."""
        return Request("GET", f"/payouts/{quote(ref, safe='')}")

    def find(self, wire: str) -> Request:
        """There is no search by our reference: the same `referenceId` is the look-up (A-ORK-6)."""
        raise InvariantError(f"Orkestra cannot look for {wire}")

    def read_find(self, exchange: Exchange, sent: Sent) -> Reading | None:  # noqa: ARG002  no such answer
        """As `find`."""
        raise InvariantError(f"Orkestra cannot look for {sent.wires[0]}")

    def cancel(self, ref: str) -> Request:
        """No route is documented."""
        raise InvariantError(f"Orkestra has no route that cancels {ref}")

    def read_poll(self, exchange: Exchange, sent: Sent) -> Reading:
        """One payout object (A-ORK-4)."""
        row = strict.loads(exchange.body)
        verdict, ref, status, code = _item(row, sent)
        return Reading([verdict], [ref], [status], [code], [])

    def event(self, raw: bytes) -> Event:
        """A notification (A-ORK-4): the body of a payout, or that of an order or a refund.

        It has no id of its own; what it is about shows in its fields.
        """
        said = strict.loads(raw)
        ref = strict.ident(said.get("id")) if isinstance(said, dict) else None
        if ref is None:
            raise strict.UnreadableError("not a notification with an id")
        topic = _topic(said)
        status = strict.word(said.get("status"))
        return Event(
            topic,
            f"{'payout' if topic == PAYMENT else topic} {status or ''}".rstrip(),
            ref=ref,
            wire=strict.word(said.get("referenceId", said.get("merchantOrderId"))),
            amount=amount_of(said.get("amount")),
            currency=strict.word(said.get("currency")),
            status=status,
            verdict=_VERDICTS.get(status) if status is not None else None,
        )


def _topic(said: dict[str, Any]) -> str:
    """An order has charges and transactions (ORK-hook); a refund names what it reduces."""
    if not _ORDERS.isdisjoint(said):
        return "order"
    return "refund" if not _REFUNDS.isdisjoint(said) else PAYMENT


def _refusal(exchange: Exchange) -> str:
    """The code of an error body (A-ORK-7), or the status where it has none."""
    try:
        code = strict.loads(exchange.body)["code"]
    except (strict.UnreadableError, KeyError, TypeError):
        code = None
    return strict.word(code) or f"http_{exchange.status}"


def _names(name: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """First word and the rest; a single word stands for both, since both are required."""
    words = name.str.splitn(" ", 2)
    first = words.struct.field("field_0")
    return first, words.struct.field("field_1").fill_null(first)


def _is_company(kind: pl.Expr, document: pl.Expr) -> pl.Expr:
    """True where the tax number is one that only companies have; people have CUIL, RUC and RFC too.

    Argentina's begin with 3 (AFIP), Peru's with 20 (SUNAT), Ecuador's have 6 or 9 in the third
    place (SRI), Mexico's have 12 characters and not 13 (SAT).
    """
    return (
        kind.is_in(["cnpj", "nit"])
        | ((kind == "cuit") & document.str.contains("^3"))
        | ((kind == "ruc") & document.str.contains("^(?:20[0-9]{9}|[0-9]{2}[69][0-9]{10})$"))
        | ((kind == "rfc") & (document.str.len_bytes() == 12))  # noqa: PLR2004  SAT's own length
    )


def _item(row: object, sent: Sent) -> tuple[Verdict, str | None, str | None, str | None]:
    if not isinstance(row, dict):
        return Verdict.UNCLEAR, None, None, "not_an_object"
    ref, word = strict.ident(row.get("id")), strict.word(row.get("status"))
    code = strict.word(row.get("statusReason"))
    verdict = _VERDICTS.get(word) if word is not None else None
    if ref is None or verdict is None:
        return Verdict.UNCLEAR, ref, word, "no_id" if ref is None else "unknown_status_word"
    if row.get("referenceId") != sent.wires[0]:
        return Verdict.MISMATCH, ref, word, "reference_differs"
    if not _same_amount(row, sent):
        return Verdict.MISMATCH, ref, word, "amount_differs"
    return verdict, ref, word, code


def _same_amount(row: dict[str, Any], sent: Sent) -> bool:
    echoed = row.get("amount")
    if isinstance(echoed, bool) or not isinstance(echoed, int | Decimal):
        return False
    # Ours is scaled and not theirs: a comparison is exact and bounded, whatever they write.
    ours = Decimal(sent.amounts[0]).scaleb(-sent.exponent)
    return echoed == ours and row.get("currency") == sent.currency
