"""Orkesta: account-to-account payments in batches of up to 500 (PROVIDERS §1).

Amounts are integers in minor units (OKS-create). There is no idempotency and no look-up by our
reference (A-OKS-9), so a lost reply stays unclear until evidence arrives: capability level C0.
`completed` (OKS-quick) and `settled` (OKS-over) are the same success.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import polars as pl

from payouts.core.capabilities import Capabilities
from payouts.core.currencies import currency
from payouts.core.errors import InvariantError, PayoutsError, SettingsError
from payouts.core.outcomes import Answer, Verdict, of_failure, of_status
from payouts.providers import encode, strict
from payouts.providers.client import Exchange, Request
from payouts.providers.connector import Balance, Reading, Sent, fingerprint
from payouts.providers.events import PAYMENT, Event, amount_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Orkesta"]

_VERDICTS = {
    "pending": Verdict.PROCESSING,
    "approved": Verdict.PROCESSING,
    "processing": Verdict.PROCESSING,
    "settled": Verdict.SETTLED,
    "completed": Verdict.SETTLED,
    "reconciled": Verdict.SETTLED,
    "failed": Verdict.REJECTED,
    "cancelled": Verdict.CANCELLED,
    "returned": Verdict.RETURNED,  # A-OKS-14
}
_TAKEN = frozenset({Verdict.PROCESSING, Verdict.SETTLED})
_RETRYABLE = frozenset({"try_later", "temporarily_unavailable", "insufficient_funds"})
_REJECTING = frozenset(
    {
        "account_closed",
        "account_blocked",
        "account_not_found",
        "invalid_account",
        "name_mismatch",
        "unsupported_currency",
        "unsupported_method",
        "limit_exceeded",
        "validation_error",
    }
)
_READ_KEYS = (
    *(b"id", b"status", b"amount", b"currency", b"reference"),
    *(b"error", b"code", b"failure_code"),
)
_ERROR_KEYS = frozenset({"error", "failure_code"})
_BALANCE_DIGITS = 20
_UNPROVEN = "not_listed_error_code"
_EVENT_VERDICTS = {"created": Verdict.PROCESSING, **_VERDICTS}


class Orkesta:
    """The connector.

    Args:
        base_url: with the version, without a slug (A-OKS-10).
        api_key: a key with the scope read-write.
        from_accounts: per currency, the Orkesta account that is debited.
        concurrency: batches in flight; low, since a crash leaves them unclear (C0).
    """

    name = "orkesta"
    encoder = "orkesta-1"

    def __init__(
        self, base_url: str, *, api_key: str, from_accounts: Mapping[str, str], concurrency: int = 4
    ) -> None:
        self.base_url = base_url
        self.headers = {"Authorization": f"Bearer {api_key}"}
        self.account_fingerprint = fingerprint(base_url, api_key)
        self.from_accounts = dict(from_accounts)
        self.capabilities = Capabilities(
            batch_max=500,
            per_request=500,
            idempotent=False,
            key_life_s=0,
            lookup_by_reference=False,
            poll_by_id=True,
            cancel=True,
            concurrency=concurrency,
            at_risk_max=500 * concurrency,
        )

    def encode(self, items: pl.DataFrame) -> pl.Series:
        """One payment object per item (OKS-create); our wire reference is `reference`: A-OKS-12.

        Raises:
            SettingsError: a currency of the items has no account that is debited.
        """
        missing = sorted(set(items["currency"].unique()) - set(self.from_accounts))
        if missing:
            raise SettingsError(
                f"no Orkesta account is set that pays {', '.join(missing)}; nothing was sent",
                hint=f'Set orkesta.from_accounts, e.g. {{ {missing[0]} = "acc_…" }}.',
            )
        text = encode.json_text
        body = encode.json_object(
            {
                "amount": pl.col("amount_minor").cast(pl.String),
                "currency": text(pl.col("currency")),
                "method": text(pl.col("method")),
                "from_account": text(
                    pl.col("currency").replace_strict(self.from_accounts, return_dtype=pl.String)
                ),
                "to_account": text(pl.col("account")),
                "description": text(encode.payee_note()),
                "reference": text(pl.col("wire")),
            }
        )
        return items.select(body.alias("body")).to_series()

    def submission(self, bodies: Sequence[bytes], key: str) -> Request:
        """`POST /payments/batch` with a bare array (A-OKS-2); the key header is harmless."""
        return Request(
            "POST",
            "/payments/batch",
            body=b"[" + b",".join(bodies) + b"]",
            headers={"Content-Type": "application/json", "Idempotency-Key": key},
            moves_money=True,
        )

    def answer(self, exchange: Exchange) -> Answer:
        """By HTTP status alone (A-OKS-4)."""
        if exchange.failure is not None:
            return of_failure(exchange.failure)
        return of_status(exchange.status)

    def read(self, exchange: Exchange, sent: Sent) -> Reading:
        """Items are matched by `reference`; by position only as A-OKS-3 allows."""
        rows = strict.loads_rows(exchange.body, _READ_KEYS)
        agreed = _agreed(rows, sent)
        if agreed is not None:
            return agreed
        by_wire: dict[str, Any] = {}
        twice: set[str] = set()
        for row in rows:
            wire = row.get("reference") if isinstance(row, dict) else None
            if isinstance(wire, str):
                if wire in by_wire and by_wire[wire] != row:
                    twice.add(wire)
                by_wire[wire] = row
        if not by_wire and len(rows) == len(sent.wires):
            by_wire = _by_position(rows, sent)
        known = set(sent.wires)
        found = [
            (Verdict.UNCLEAR, None, None, "listed_twice")
            if wire in twice
            else _item(by_wire.get(wire), amount, sent.currency)
            for wire, amount in zip(sent.wires, sent.amounts, strict=True)
        ]
        verdicts, refs, statuses, codes = map(list, zip(*found, strict=True))
        return Reading(verdicts, refs, statuses, codes, [w for w in by_wire if w not in known])

    def poll(self, ref: str) -> Request:
        """`GET /payments/{id}` (OKS-quick)."""
        return Request("GET", f"/payments/{quote(ref, safe='')}")

    def find(self, wire: str) -> Request:
        """There is no search by our reference (A-OKS-9)."""
        raise InvariantError(f"Orkesta cannot look for {wire}")

    def read_find(self, exchange: Exchange, sent: Sent) -> Reading | None:  # noqa: ARG002  no such answer
        """As `find`."""
        raise InvariantError(f"Orkesta cannot look for {sent.wires[0]}")

    def cancel(self, ref: str) -> Request:
        """`DELETE /payments/{id}` (OKS-create): while pending or approved, else 409 (A-OKS-5)."""
        return Request("DELETE", f"/payments/{quote(ref, safe='')}", moves_money=True)

    def accounts(self) -> Request:
        """`GET /accounts` (OKS-quick): a bare array."""
        return Request("GET", "/accounts")

    def read_accounts(self, exchange: Exchange) -> list[Balance]:
        """Balances are decimals in major units (A-OKS-8) and become minor units exactly.

        Raises:
            UnreadableError: not such an array, or a balance that the currency cannot have.
        """
        rows = strict.loads(exchange.body)
        if not isinstance(rows, list):
            raise strict.UnreadableError("not an array of accounts")
        return [_balance(row) for row in rows]

    def read_poll(self, exchange: Exchange, sent: Sent) -> Reading:
        """One payment object."""
        row = strict.loads(exchange.body)
        verdict, ref, status, code = _item(row, sent.amounts[0], sent.currency)
        if isinstance(row, dict) and row.get("reference") not in (None, sent.wires[0]):
            verdict, code = Verdict.MISMATCH, "reference_differs"
        return Reading([verdict], [ref], [status], [code], [])

    def event(self, raw: bytes) -> Event:
        """`{"id", "type", "created_at", "data": payment}` (A-OKS-7)."""
        said = strict.loads(raw)
        name = strict.word(said.get("type")) if isinstance(said, dict) else None
        if name is None:
            raise strict.UnreadableError("not an event with a type")
        topic, _, step = name.partition(".")
        event_id, data = _ident(said.get("id")), said.get("data")
        if topic != PAYMENT:
            return Event(topic, name, event_id)
        ref = _ident(data.get("id")) if isinstance(data, dict) else None
        if ref is None:
            raise strict.UnreadableError("an event about a payment without the payment's id")
        status = strict.word(data.get("status"))
        claims = {_EVENT_VERDICTS.get(word) for word in (step, status) if word is not None}
        return Event(
            topic,
            name,
            event_id or f"{name} {ref}",  # no id has a space
            ref=ref,
            wire=strict.word(data.get("reference")),
            amount=amount_of(data.get("amount")),
            minor=True,
            currency=strict.word(data.get("currency")),
            status=status,
            verdict=claims.pop() if len(claims) == 1 else None,
        )


def _agreed(rows: list[Any], sent: Sent) -> Reading | None:
    """A reply in which all is as it was sent, read by columns; none where a row differs.

    References, amounts and currencies stand as in the request, every row has one and the same
    status, of a payment that was taken, an id of its own and no word of an error. It says what
    `_item` says of each row, at a tenth of the cost.
    """
    try:
        if [row["reference"] for row in rows] != sent.wires:
            return None
        amounts = [row["amount"] for row in rows]
        refs = [row["id"] for row in rows]
        (currency,) = {row["currency"] for row in rows}
        (status,) = {row["status"] for row in rows}
        exact = amounts == sent.amounts and set(map(type, amounts)) == {int}
        verdict = _VERDICTS.get(status)
        silent = all(row.keys().isdisjoint(_ERROR_KEYS) for row in rows)
    except (KeyError, TypeError, ValueError):  # a row without a member, a second currency or status
        return None
    told = exact and silent and currency == sent.currency and verdict in _TAKEN
    if not told or verdict is None or not strict.idents(refs) or len(set(refs)) != len(refs):
        return None
    count = len(rows)
    return Reading([verdict] * count, refs, [status] * count, [None] * count, [])


def _balance(row: object) -> Balance:
    if not isinstance(row, dict):
        raise strict.UnreadableError("an account is no object")
    ref, code, balance = _ident(row.get("id")), strict.word(row.get("currency")), row.get("balance")
    if ref is None or code is None or isinstance(balance, bool):
        raise strict.UnreadableError("an account without id, currency or balance")
    if not isinstance(balance, int | Decimal):
        raise strict.UnreadableError(f"the balance of {ref} is no number")
    amount = Decimal(balance)
    if amount.is_zero():
        amount = Decimal(0)  # whatever its exponent
    if amount.adjusted() >= _BALANCE_DIGITS or len(amount.as_tuple().digits) > _BALANCE_DIGITS:
        raise strict.UnreadableError(f"the balance of {ref} is beyond all bounds")
    try:
        minor = amount.scaleb(currency(code).exponent)
        whole = int(minor)
    except (PayoutsError, ArithmeticError):
        raise strict.UnreadableError(f"the balance of {ref} cannot be read") from None
    if minor != whole:
        raise strict.UnreadableError(f"the balance of {ref} has more decimals than {code}")
    return Balance(ref, strict.word(row.get("name")) or "", code, whole)


def _by_position(rows: list[Any], sent: Sent) -> dict[str, Any]:
    agree = all(
        isinstance(row, dict)
        and row.get("reference") is None
        and row.get("amount") == amount
        and row.get("currency") == sent.currency
        for row, amount in zip(rows, sent.amounts, strict=True)
    )
    return dict(zip(sent.wires, rows, strict=True)) if agree else {}


def _item(
    row: object, amount: int, currency: str
) -> tuple[Verdict, str | None, str | None, str | None]:
    if not isinstance(row, dict):
        return Verdict.UNCLEAR, None, None, "not_in_reply"
    ref, status, error = _ident(row.get("id")), strict.word(row.get("status")), row.get("error")
    code = strict.word(error.get("code") if isinstance(error, dict) else row.get("failure_code"))
    verdict = _VERDICTS.get(status) if status is not None else None
    if verdict is None:
        return Verdict.UNCLEAR, ref, status, "unknown_status_word"
    if verdict is Verdict.REJECTED:
        return _refusal(ref, code, status)
    echoed = row.get("amount")
    if type(echoed) is not int or echoed != amount or row.get("currency") != currency:
        return Verdict.MISMATCH, ref, status, "amount_differs"
    if ref is None:
        return Verdict.UNCLEAR, None, status, "no_id"
    return verdict, ref, status, code


def _refusal(
    ref: str | None, code: str | None, status: str | None
) -> tuple[Verdict, str | None, str | None, str | None]:
    """A payment that was made and then failed is final; one that was refused tells by its code."""
    if ref is not None or code in _REJECTING:
        return Verdict.REJECTED, ref, status, code or "failed"
    if code in _RETRYABLE:
        return Verdict.NOT_EXECUTED, None, status, code
    return Verdict.UNCLEAR, None, status, code or _UNPROVEN


def _ident(value: object) -> str | None:
    """Ids are texts (OKS-create)."""
    return strict.ident(value) if isinstance(value, str) else None
