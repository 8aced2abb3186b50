"""Orchestra, imitated: card operations through gateways, gateway accounts, and tokens.

    GET    /orchestra/Utils/apiKey                       200, {status, userName, accountId, isSandbox}
    GET    /orchestra/PaymentGateway                     200, the gateways
    GET    /orchestra/PaymentGatewayAccounts             200, names, without credentials
    GET    PUT DELETE …/PaymentGatewayAccounts/{name}    200; GET shows the credentials
    POST   /orchestra/PaymentGateway/charge, authorize   202, or 409, 500, 503 by the result
    PUT    /orchestra/PaymentGateway/capture, refund     the same; at most what is left
    DELETE /orchestra/PaymentGateway/void                the same, with a body
    POST   /orchestra/PaymentGateway/tokenize            200, or as above
    POST   /orchestra/PaymentGateway/status              200 by refTransId or myRef; 409 A-ORC-2
    …      /orchestra/StringTokens                       see `orchestra_vault`

Key: `X-Api-Key: sandbox-orchestra`; a wrong one is a 401, without a body where the settings say so
(A-ORC-4). Nothing is idempotent and `myRef` may be used twice: who charges twice has charged twice,
and the books show it. The status covers charges and authorisations only, as the specification does;
of several with one `myRef` it shows the last.

Lines of the books are `note`s of this platform: `{"act": "operation", "operation", "reference",
"gateway_reference", "result", "amount", "currency", "of", …}`, and those of accounts and tokens.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from payouts.sandbox.books import fingerprint
from payouts.sandbox.http import Reply
from payouts.sandbox.orchestra_rules import (
    DECLINED,
    GATEWAYS,
    Document,
    RefusedError,
    account,
    amount,
    card,
    parse,
    text,
)
from payouts.sandbox.orchestra_vault import StringTokens
from payouts.sandbox.platforms import Registration

if TYPE_CHECKING:
    from payouts.sandbox.books import Entry
    from payouts.sandbox.http import Request
    from payouts.sandbox.platforms import Refuse, Wish, World

__all__ = ["MOUNT", "PLATFORM", "Orchestra"]

MOUNT: Final = "/orchestra"

_KEY: Final = "sandbox-orchestra"
_OPERATIONS: Final = {
    ("POST", "charge"): "Charge",
    ("POST", "authorize"): "PreAuth",
    ("PUT", "capture"): "Capture",
    ("PUT", "refund"): "Refund",
    ("DELETE", "void"): "Void",
    ("POST", "tokenize"): "Tokenize",
}
_RESULTS: Final = {
    "NULLFailure": "Rejected",
    "NULLTemporary": "TemporaryFailure",
    "NULLFatal": "FatalFailure",
    "NULLUnable": "NotImplemented",
    "NULLLater": "Accepted",
}
_STATUSES: Final = {
    "Success": 202,
    "Accepted": 202,
    "Rejected": 409,
    "NotImplemented": 409,
    "TemporaryFailure": 503,
    "FatalFailure": 500,
}
_FIRST: Final = {"Charge", "PreAuth"}
_NAME_MIN, _NAME_MAX = 3, 64


class Orchestra:
    """The platform's answers, on top of its books."""

    def __init__(self, world: World) -> None:
        self._books = world.books
        self._settings = world.settings
        self._clock = world.clock
        self._tokens = StringTokens(world, self._note)
        self._accounts: dict[str, tuple[str, dict[str, str]]] = {}
        self._done: dict[str, Entry] = {}  # gateway reference -> operation
        self._named: dict[str, str] = {}  # myRef -> the last gateway reference
        for number in self._books.notes.get("orchestra", ()):
            entry = self._books.line(number)
            if entry is not None:
                self._apply(number, entry)

    def answer(self, request: Request, wish: Wish) -> Reply:
        """Answer a request below the mount."""
        try:
            return self._route(request, wish.refuse)
        except RefusedError as refused:
            return refused.reply

    def _route(self, request: Request, refuse: Refuse | None) -> Reply:
        if request.headers.get("x-api-key") != _KEY:
            name = "" if self._settings.empty_401 else "X-Api-Key"
            raise RefusedError(401, name, "The API key is missing or invalid")
        match request.path.removeprefix(MOUNT).split("/")[1:]:
            case ["Utils", "apiKey"] if request.method == "GET":
                return Reply(200, _WHO)
            case ["PaymentGateway"] if request.method == "GET":
                return Reply(200, [_gateway(name) for name in GATEWAYS])
            case ["PaymentGateway", "status"] if request.method == "POST":
                return self._status(parse(request))
            case ["PaymentGateway", word] if (request.method, word) in _OPERATIONS:
                return self._operate(_OPERATIONS[request.method, word], parse(request), refuse)
            case ["PaymentGatewayAccounts", *rest]:
                return self._account(request, rest)
            case ["StringTokens", *rest]:
                return self._tokens.answer(request, rest)
            case _:
                raise RefusedError(404)

    # the books

    def _note(self, entry: Entry) -> None:
        number = self._books.next_line
        entry = {"kind": "note", "platform": "orchestra", **entry}
        self._books.append(entry)
        self._apply(number, entry)

    def _apply(self, number: int, entry: Entry) -> None:
        match entry["act"]:
            case "operation":
                self._done[entry["gateway_reference"]] = entry
                if entry["reference"] is not None and entry["operation"] in _FIRST:
                    self._named[entry["reference"]] = entry["gateway_reference"]
            case "account":
                self._accounts[entry["name"]] = entry["gateway"], entry["credentials"]
            case "account_deleted":
                self._accounts.pop(entry["name"], None)
            case _:
                self._tokens.apply(number, entry)

    # gateway accounts

    def _account(self, request: Request, rest: list[str]) -> Reply:
        match request.method, rest:
            case "GET", []:
                brief = [
                    {"name": name, "paymentGatewayName": gateway}
                    for name, (gateway, _) in self._accounts.items()
                ]
                return Reply(200, brief)
            case "GET", [name]:
                return Reply(200, self._account_shown(name))
            case "PUT", [name]:
                plain = name.replace("-", "")  # the vendor's own examples have hyphens
                if not (
                    plain.isascii() and plain.isalnum() and _NAME_MIN <= len(name) <= _NAME_MAX
                ):
                    raise RefusedError(400, "name", "must have 3 to 64 letters and digits")
                gateway, credentials = account(parse(request))
                self._note(
                    {
                        "act": "account",
                        "name": name,
                        "at": self._clock(),
                        "gateway": gateway,
                        "credentials": credentials,
                    }
                )
                return Reply(200, self._account_shown(name))
            case "DELETE", [name]:
                self._account_shown(name)
                self._note({"act": "account_deleted", "name": name, "at": self._clock()})
                return Reply(200, {})
            case _:
                raise RefusedError(404)

    def _account_shown(self, name: str) -> Document:
        if name not in self._accounts:
            raise RefusedError(404)
        gateway, credentials = self._accounts[name]
        rows = [{"key": key, "value": value} for key, value in credentials.items()]
        return {"name": name, "paymentGatewayName": gateway, "credentials": rows}

    # operations

    def _operate(self, operation: str, document: Document, refuse: Refuse | None) -> Reply:
        number = self._card_number(card(document))
        money = (None, None) if operation == "Tokenize" else amount(document)
        gateway = self._gateway(document)
        reference = document.get("myRef")
        if reference is not None and not isinstance(reference, str):
            raise RefusedError(400, "myRef", "must be text")
        first = None if operation in {*_FIRST, "Tokenize"} else text(document, "refTransId")
        result, words = self._result(gateway, operation, number, money[0], first)
        code = refuse(reference) if refuse is not None else None
        if code is not None:
            result, words = "Rejected", code
        entry = {
            "act": "operation",
            "operation": operation,
            "at": self._clock(),
            "reference": reference,
            "gateway_reference": f"gw_{self._books.next_line:08d}",
            "gateway": gateway,
            "result": result,
            "words": words,
            "amount": None if money[0] is None else format(money[0], "f"),
            "currency": money[1],
            "account": fingerprint(number),
            "of": first,
        }
        if result != "TemporaryFailure":  # nothing was executed and nothing is known of it
            self._note(entry)
        status = _STATUSES[result]
        return Reply(200 if operation == "Tokenize" and status == 202 else status, _shown(entry))  # noqa: PLR2004  accepted

    def _card_number(self, found: Document) -> str:
        """Give a card's number, read from the vault where it is a token."""
        number: str = found["cardNumber"]
        if not number.startswith("@"):
            return number
        kept = self._tokens.reveal(number[1:])
        if kept is None:
            raise RefusedError(400, "card.cardNumber", "is no token of this account")
        return kept

    def _gateway(self, document: Document) -> str:
        """Give the gateway; inline credentials win over the name of an account."""
        inline = document.get("paymentGatewayAccount")
        if isinstance(inline, dict):
            return account(inline, path="paymentGatewayAccount.")[0]
        name = text(document, "paymentGatewayAccountName")
        if name not in self._accounts:
            raise RefusedError(400, "paymentGatewayAccountName", "is no account of yours")
        return self._accounts[name][0]

    def _result(
        self, gateway: str, operation: str, number: str, given: Decimal | None, first: str | None
    ) -> tuple[str, str]:
        if gateway in _RESULTS:
            return _RESULTS[gateway], f"{gateway} always does this"
        if first is not None and given is not None:
            refusal = self._refusal(operation, first, given)
            return ("Success", "Approved") if refusal is None else ("Rejected", refusal)
        if number in DECLINED:
            return "Rejected", "The card was declined"
        return "Success", "Approved"

    def _refusal(self, operation: str, first: str, given: Decimal) -> str | None:
        """Say why an operation on an earlier one is refused, or None."""
        before = self._done.get(first)
        if before is None or before["result"] != "Success":
            return "There is no such transaction"
        later = [
            one for one in self._done.values() if one["of"] == first and one["result"] == "Success"
        ]
        kinds = {one["operation"] for one in later}
        spent = sum((Decimal(one["amount"]) for one in later), Decimal(0))
        match operation:
            case "Capture" if before["operation"] != "PreAuth" or kinds:
                return "Only an authorisation that is still open can be captured"
            case "Void" if before["operation"] not in _FIRST or kinds:
                return "Only what was neither captured nor refunded nor voided can be voided"
            case "Refund" if before["operation"] not in {"Charge", "Capture"} or "Void" in kinds:
                return "Only money that was taken can be refunded"
        return (
            "The amount is more than what is left"
            if spent + given > Decimal(before["amount"])
            else None
        )

    def _status(self, document: Document) -> Reply:
        name = document.get("refTransId") or self._named.get(str(document.get("myRef")))
        entry = self._done.get(str(name))
        if entry is None or entry["operation"] not in _FIRST:
            return Reply(409, _unknown())
        shown = _shown(entry)
        if entry["result"] == "Accepted":
            shown["operationResultCode"] = "Success"
        return Reply(200, shown)


_WHO: Final = {
    "status": "OK",
    "userName": "sandbox",
    "accountId": 9_007_199_254_740_993,  # an int64 that no float can carry
    "isSandbox": True,
}


def _gateway(name: str) -> Document:
    return {
        "name": name,
        "displayName": name,
        "paymentGatewayUrl": None,
        "description": "An imitation",
        "credentialsNames": list(GATEWAYS[name]),
        "supportsNetworkToken": False,
    }


def _shown(entry: Entry) -> Document:
    """Give an OperationResult."""
    success = entry["result"] in {"Success", "Accepted"}
    token = hashlib.sha256(entry["account"].encode()).hexdigest()[:24]
    return {
        "authorizationCode": entry["gateway_reference"][-6:] if success else None,
        "currency": entry["currency"],
        "amount": None if entry["amount"] is None else Decimal(entry["amount"]),
        "operationType": entry["operation"],
        "operationResultCode": entry["result"],
        "operationResultDescription": entry["words"],
        "gatewayName": entry["gateway"],
        "gatewayReference": entry["gateway_reference"],
        "gatewayResultCode": "00" if success else "05",
        "gatewayResultDescription": entry["words"],
        "gatewayResultSubCode": None,
        "gatewayResultSubDescription": None,
        "gatewayToken": token if entry["operation"] == "Tokenize" and success else None,
        "customGatewayResponse": None,
    }


def _unknown() -> Document:
    return {
        "operationType": "Status",
        "operationResultCode": "Rejected",
        "operationResultDescription": "There is no such transaction",
        "gatewayReference": None,
    }


def _error(code: str, message: str) -> Document:
    return {"fieldName": code, "errors": [message]}


PLATFORM: Final = Registration("orchestra", Orchestra, _error, ("myRef",))
