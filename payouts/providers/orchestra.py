"""Orchestra: operations on cards through gateways, and StringTokens (PROVIDERS §3).

It pays nobody out, so it is no `Connector` of items. A charge, capture, refund or void moves money
and needs a committed attempt (`Permit`); nothing there is idempotent. What we know after a lost
answer:

* a 503 is documented as not executed, here and nowhere else; so is `TemporaryFailure`
* a 409 whose body says `Rejected` or `NotImplemented` is a refusal of the gateway (A-ORC-1), another
  409 is unclear; a 400 refuses the fields
* a 500 may have been executed, whatever its body says
* a charge or authorisation is looked up by its `myRef` (A-ORC-2: unknown is a 409, and no proof);
  for captures, refunds and voids no look-up is documented, so they stay unclear
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from payouts.core.capabilities import Capabilities
from payouts.core.errors import UsageError
from payouts.core.money import format_minor
from payouts.core.outcomes import Answer, Verdict, of_failure, of_status
from payouts.providers import strict
from payouts.providers.client import Exchange, Request
from payouts.providers.strict import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "GONE",
    "OK",
    "PAYLOAD_MAX",
    "Account",
    "Card",
    "Gateway",
    "Operation",
    "Orchestra",
    "Result",
    "Whose",
    "readable",
]

PAYLOAD_MAX: Final = 16_384
"""Characters that one StringToken holds (ORC-spec)."""

_VERDICTS: Final = {
    "Success": Verdict.SETTLED,
    "Accepted": Verdict.PROCESSING,
    "Rejected": Verdict.REJECTED,
    "NotImplemented": Verdict.REJECTED,
    "FatalFailure": Verdict.REJECTED,
    "TemporaryFailure": Verdict.NOT_EXECUTED,
}
_REFUSALS: Final = ("Rejected", "NotImplemented")
_JSON: Final = {"Content-Type": "application/json"}
_UNAUTHORIZED: Final = 401
OK: Final = 200
GONE: Final = 404
_NAME_MIN, _NAME_MAX = 3, 64


@dataclass(frozen=True, slots=True)
class Card:
    """A card; it has to be sent with every operation on its transactions (ORC-spec).

    Args:
        number: digits, or `@` and the StringToken that stands for them.
        cvv: digits or `@token`.
    """

    number: str = field(repr=False)
    holder: str = field(repr=False)
    month: int
    year: int
    cvv: str | None = field(default=None, repr=False)

    def document(self) -> dict[str, Any]:
        """The card as the platform reads it."""
        made = {
            "cardNumber": self.number,
            "cardHolderName": self.holder,
            "expirationMonth": self.month,
            "expirationYear": self.year,
        }
        return made if self.cvv is None else {**made, "cvv": self.cvv}


@dataclass(frozen=True, slots=True)
class Account:
    """Credentials of a gateway, given with a request instead of the name of a stored account."""

    gateway: str
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)

    def document(self) -> dict[str, Any]:
        """The account as the platform reads it."""
        rows = [{"key": key, "value": value} for key, value in self.credentials.items()]
        return {"paymentGatewayName": self.gateway, "credentials": rows}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on a card.

    Args:
        wire: our reference, `myRef`: the only handle after a lost answer, so it is always sent.
        amount_minor: minor units.
        exponent: decimals of `currency`.
        account: the name of a stored gateway account, or one given inline.
        of: the gateway's reference of the charge or authorisation that it is about.
    """

    wire: str
    amount_minor: int
    currency: str
    exponent: int
    card: Card
    account: str | Account
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What an answer says of an operation.

    Args:
        ref: the gateway's reference, by which it is captured, refunded or voided.
        status: the platform's own word.
        code: why it was refused or is unclear.
        token: the gateway's token of the card, after `tokenize`.
    """

    verdict: Verdict
    ref: str | None = None
    status: str | None = None
    code: str | None = None
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that the platform speaks to, and the names of the credentials that it needs."""

    name: str
    credentials: Sequence[str]


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose key it is; `sandbox` guards tests against a live key, and the other way round."""

    name: str
    account: int
    sandbox: bool


class Orchestra:
    """The connector: requests, and readers of what comes back."""

    name = "orchestra"

    capabilities = Capabilities(
        batch_max=1,
        per_request=1,
        idempotent=False,
        key_life_s=0.0,
        lookup_by_reference=True,
        poll_by_id=True,
        cancel=True,
        concurrency=8,
    )

    def __init__(self, base_url: str, *, api_key: str) -> None:
        self.base_url = base_url
        self.headers = {"X-Api-Key": api_key}

    def __repr__(self) -> str:
        return f"Orchestra({self.base_url!r})"

    # -- operations ---------------------------------------------------------------------------------

    def charge(self, wanted: Operation) -> Request:
        """`POST /PaymentGateway/charge`: money is taken at once."""
        return self._moving("POST", "charge", wanted)

    def authorize(self, wanted: Operation) -> Request:
        """`POST /PaymentGateway/authorize`: money is held until `capture` or `void`."""
        return self._moving("POST", "authorize", wanted)

    def capture(self, wanted: Operation) -> Request:
        """`PUT /PaymentGateway/capture`: takes what was held, or less."""
        return self._moving("PUT", "capture", wanted, follows=True)

    def refund(self, wanted: Operation) -> Request:
        """`PUT /PaymentGateway/refund`: gives back what was taken, or less (ORC-rv)."""
        return self._moving("PUT", "refund", wanted, follows=True)

    def void(self, wanted: Operation) -> Request:
        """`DELETE /PaymentGateway/void`, with a body: lets go what was held."""
        return self._moving("DELETE", "void", wanted, follows=True)

    def tokenize(self, card: Card, account: str | Account) -> Request:
        """`POST /PaymentGateway/tokenize`: the gateway's own token of a card; no money moves."""
        body = {"card": card.document(), **_account(account)}
        return Request("POST", "/PaymentGateway/tokenize", body=_json(body), headers=_JSON)

    def status(self, wire: str, account: str | Account) -> Request:
        """`POST /PaymentGateway/status` by our reference: charges and authorisations only."""
        body = {"myRef": wire, **_account(account)}
        return Request("POST", "/PaymentGateway/status", body=_json(body), headers=_JSON)

    def _moving(
        self, method: str, word: str, wanted: Operation, *, follows: bool = False
    ) -> Request:
        if follows != (wanted.of is not None):
            raise UsageError(
                f"{word} {'needs' if follows else 'has no'} transaction that it is about"
            )
        amount = format_minor(wanted.amount_minor, wanted.exponent)  # digits, never through a float
        rest = {
            "currency": wanted.currency,
            "card": wanted.card.document(),
            "myRef": wanted.wire,
            **({"refTransId": wanted.of} if follows else {}),
            **_account(wanted.account),
        }
        body = b'{"amount":%b,%b' % (amount.encode(), _json(rest)[1:])
        return Request(
            method, f"/PaymentGateway/{word}", body=body, headers=_JSON, moves_money=True
        )

    def answer(self, exchange: Exchange) -> Answer:
        """The class of an answer to an operation: see the table in this module's docstring."""
        if exchange.failure is not None:
            return of_failure(exchange.failure)
        if exchange.status == 409:  # noqa: PLR2004  a refusal says so; a bare conflict says nothing
            said = readable(exchange).get("operationResultCode")
            return Answer.REJECTED if said in _REFUSALS else Answer.UNCLEAR
        answer = of_status(exchange.status, not_executed_on_503=True)
        return Answer.REJECTED if answer is Answer.POISONED else answer

    def read(self, exchange: Exchange, wanted: Operation | None = None) -> Result:
        """What a readable or refusing answer says; amount and currency must be those sent.

        Args:
            wanted: the operation that was sent; none for `tokenize`.

        Raises:
            UnreadableError: a 2xx whose body is no OperationResult.
        """
        if self.answer(exchange) is Answer.REJECTED:
            return _refused(exchange)
        return _result(strict.loads(exchange.body), wanted)

    def read_status(self, exchange: Exchange, wanted: Operation) -> Result | None:
        """What a look by reference found; none where the platform knows no such transaction.

        "Unknown" is a 409 (A-ORC-2), the same as what a refusal looks like: it is no proof that
        nothing was executed, and counts like every "not found" (RELIABILITY P5).

        Raises:
            UnreadableError: the answer is neither.
        """
        if exchange.status == 409:  # noqa: PLR2004  A-ORC-2
            return None
        if exchange.status != OK:
            raise UnreadableError(f"a look was answered by {exchange.status}")
        return _result(strict.loads(exchange.body), wanted)

    # -- keys, gateways, accounts -------------------------------------------------------------------

    def check_key(self) -> Request:
        """`GET /Utils/apiKey`."""
        return Request("GET", "/Utils/apiKey")

    def read_key(self, exchange: Exchange) -> Whose | None:
        """Whose key it is; none where it is refused, with or without a body (A-ORC-4).

        Raises:
            UnreadableError: the answer is neither.
        """
        if exchange.status == _UNAUTHORIZED:
            return None
        document = _object(exchange)
        name, account = strict.word(document.get("userName")), document.get("accountId")
        sandbox = document.get("isSandbox")
        if document.get("status") != "OK" or type(account) is not int or type(sandbox) is not bool:
            raise UnreadableError("not the answer of a key check")
        return Whose(name or "", account, sandbox)

    def gateways(self) -> Request:
        """`GET /PaymentGateway`."""
        return Request("GET", "/PaymentGateway")

    def read_gateways(self, exchange: Exchange) -> list[Gateway]:
        """The gateways and what each needs.

        Raises:
            UnreadableError: the answer is no list of them.
        """
        rows = strict.loads(exchange.body) if exchange.status == OK else None
        if not isinstance(rows, list):
            raise UnreadableError("not a list of gateways")
        found = []
        for row in rows:
            name = strict.word(row.get("name")) if isinstance(row, dict) else None
            if name is None:
                raise UnreadableError("a gateway without a name")
            needs = row.get("credentialsNames") or []
            found.append(Gateway(name, [word for word in map(strict.word, needs) if word]))
        return found

    def accounts(self) -> Request:
        """`GET /PaymentGatewayAccounts`: names, without credentials."""
        return Request("GET", "/PaymentGatewayAccounts")

    def read_accounts(self, exchange: Exchange) -> dict[str, str]:
        """Name of an account → its gateway.

        Raises:
            UnreadableError: the answer is no list of them.
        """
        rows = strict.loads(exchange.body) if exchange.status == OK else None
        if not isinstance(rows, list):
            raise UnreadableError("not a list of gateway accounts")
        found = {}
        for row in rows:
            plain = _lowered(row) if isinstance(row, dict) else {}
            name, gateway = plain.get("name"), plain.get("paymentgatewayname")
            if not (isinstance(name, str) and isinstance(gateway, str)):
                raise UnreadableError("a gateway account without a name")
            found[name] = gateway
        return found

    def account(self, name: str) -> Request:
        """`GET /PaymentGatewayAccounts/{name}`: with its credentials."""
        return Request("GET", f"/PaymentGatewayAccounts/{quote(name, safe='')}")

    def read_account(self, exchange: Exchange) -> Account | None:
        """A stored account; none where there is none. Keys stand in any case (PROVIDERS 3.7).

        Raises:
            UnreadableError: the answer is neither.
        """
        if exchange.status == GONE:
            return None
        plain = _lowered(_object(exchange))
        gateway, rows = plain.get("paymentgatewayname"), plain.get("credentials") or []
        if not isinstance(gateway, str) or not isinstance(rows, list):
            raise UnreadableError("not a gateway account")
        lowered = [_lowered(row) for row in rows if isinstance(row, dict)]
        return Account(gateway, {str(row.get("key")): str(row.get("value")) for row in lowered})

    def put_account(self, name: str, account: Account) -> Request:
        """`PUT /PaymentGatewayAccounts/{name}`: stored, or written over.

        Raises:
            UsageError: the name is none that the platform takes.
        """
        # The rule says letters and digits, the vendor's own examples have hyphens (PROVIDERS 3.7).
        plain = name.replace("-", "")
        if not (plain.isascii() and plain.isalnum() and _NAME_MIN <= len(name) <= _NAME_MAX):
            raise UsageError(
                f"'{name}' is no name of a gateway account",
                hint="It has 3 to 64 letters and digits, perhaps with hyphens.",
            )
        body = _json(account.document())
        return Request("PUT", f"/PaymentGatewayAccounts/{name}", body=body, headers=_JSON)

    def delete_account(self, name: str) -> Request:
        """`DELETE /PaymentGatewayAccounts/{name}`: for good."""
        return Request("DELETE", f"/PaymentGatewayAccounts/{quote(name, safe='')}")

    # -- tokens -------------------------------------------------------------------------------------

    def keep(self, payload: str) -> Request:
        """`POST /StringTokens`.

        Raises:
            UsageError: it is empty or longer than a token holds.
        """
        if not 1 <= len(payload) <= PAYLOAD_MAX:
            raise UsageError(f"a StringToken holds 1 to {PAYLOAD_MAX} characters")
        return Request("POST", "/StringTokens", body=_json({"payload": payload}), headers=_JSON)

    def reveal(self, token: str) -> Request:
        """`GET /StringTokens/{token}`."""
        return Request("GET", f"/StringTokens/{quote(token, safe='')}")

    def forget(self, token: str) -> Request:
        """`DELETE /StringTokens/{token}`: for good."""
        return Request("DELETE", f"/StringTokens/{quote(token, safe='')}")


def readable(exchange: Exchange) -> dict[str, Any]:
    """The object of a body; an empty one where it cannot be read."""
    try:
        return _object(exchange)
    except UnreadableError:
        return {}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _lowered(row: dict[str, Any]) -> dict[str, Any]:
    return {key.lower(): value for key, value in row.items()}


def _account(account: str | Account) -> dict[str, Any]:
    if isinstance(account, str):
        return {"paymentGatewayAccountName": account}
    return {"paymentGatewayAccount": account.document()}


def _object(exchange: Exchange) -> dict[str, Any]:
    document = strict.loads(exchange.body)
    if not isinstance(document, dict):
        raise UnreadableError("not an object")
    return document


def _refused(exchange: Exchange) -> Result:
    """Why it was refused, from an OperationResult or a validation error; either may be missing."""
    document = readable(exchange)
    status = strict.word(document.get("operationResultCode"))
    words = document.get("operationResultDescription") or document.get("fieldName")
    code = strict.word(words) or f"http_{exchange.status}"
    return Result(Verdict.REJECTED, strict.ident(document.get("gatewayReference")), status, code)


def _result(document: object, wanted: Operation | None) -> Result:
    """An OperationResult; text fields may be null."""
    if not isinstance(document, dict):
        raise UnreadableError("not an operation's result")
    status = strict.word(document.get("operationResultCode"))
    ref = strict.ident(document.get("gatewayReference"))
    token = strict.word(document.get("gatewayToken"))
    code = strict.word(document.get("operationResultDescription"))
    verdict = _VERDICTS.get(status) if status is not None else None
    if verdict is None:
        return Result(Verdict.UNCLEAR, ref, status, "unknown_result_code")
    if verdict in {Verdict.REJECTED, Verdict.NOT_EXECUTED}:
        return Result(verdict, ref, status, code)
    if wanted is not None and not _same_money(document, wanted):
        return Result(Verdict.MISMATCH, ref, status, "amount_differs")
    if wanted is not None and ref is None:
        return Result(Verdict.UNCLEAR, None, status, "no_reference")
    return Result(verdict, ref, status, None, token)


def _same_money(document: dict[str, Any], wanted: Operation) -> bool:
    """Whether amount and currency, where they are echoed, are those that were sent."""
    amount, currency = document.get("amount"), document.get("currency")
    if currency is not None and currency != wanted.currency:
        return False
    if amount is None:
        return True
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        return False
    # Ours is scaled and not theirs: a comparison is exact and bounded, whatever they write.
    return bool(amount == Decimal(wanted.amount_minor).scaleb(-wanted.exponent))
