"""Orkestra, imitated: single payouts with HTTP Basic and an own reference.

    POST /orkestra/payouts        201, the payout; 200 with the first payout when the referenceId
                                  is known with the same body, 409 with another      A-ORK-2, 6
    GET  /orkestra/payouts/{id}   200, the payout                                    A-ORK-4

Credentials: `sandbox-orkestra` / `sandbox-orkestra-secret`. Errors are `{"code", "message",
"details"?}` (A-ORK-7). A payout is PENDING, then PAID, or FAILED with a `statusReason`. Amounts
are decimals in major units and are read digit by digit, never through a float. Fields are checked
for presence, enumeration and shape, not for check digits (A-ORK-9): the vendor's own samples would
fail those.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from payouts.sandbox import life, magic
from payouts.sandbox.books import fingerprint
from payouts.sandbox.http import Reply
from payouts.sandbox.ids import payout_id
from payouts.sandbox.life import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.sandbox.books import Books, Entry
    from payouts.sandbox.faults import Refuse
    from payouts.sandbox.http import Request
    from payouts.sandbox.settings import Settings

__all__ = ["CURRENCIES", "MOUNT", "Orkestra"]

MOUNT: Final = "/orkestra"

CURRENCIES: Final = {
    "PIX": {"BRL"},
    "SPEI": {"MXN"},
    "NEQUI": {"COP"},
    "DAVIPLATA": {"COP"},
    "SEPA": {"EUR"},
    "CRYPTO_TRANSFER": {"USDT", "USDC"},
    "BANK_TRANSFER": {
        "ARS",
        "CLP",
        "COP",
        "MXN",
        "PEN",
        "XOF",
        "XAF",
        "EGP",
        "ETB",
        "GHS",
        "KES",
        "MWK",
        "NGN",
        "RWF",
        "SLL",
        "TZS",
        "UGX",
    },
    "MOBILE_MONEY": {"XOF", "XAF", "ETB", "GHS", "KES", "NGN", "RWF", "TZS", "UGX", "ZMW"},
    "CASH": {"BRL", "CLP", "COP", "USD", "MXN", "PEN", "EGP", "ZAR"},
    "CARDS": {"BRL", "CLP", "COP", "MXN", "PEN"},
}  # the service coverage table of the platform's start page; PSE only collects

_EXPONENTS: Final = {"CLP": 0, "XOF": 0, "XAF": 0, "RWF": 0, "UGX": 0, "USDT": 6, "USDC": 6}
_AMOUNT_MAX: Final = Decimal(10) ** 13
_USER, _SECRET = "sandbox-orkestra", "sandbox-orkestra-secret"  # the sandbox's own
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SPEI_KEY: Final = re.compile(r"[0-9]{18}|[0-9]{16}|[0-9]{10}")
_DOCUMENTS: Final = {"PIX": {"CPF", "CNPJ"}, "SPEI": {"RFC", "CURP"}}
_KEY_MAX: Final = 128

Document = dict[str, Any]


class _RefusedError(Exception):
    """The request gets an error reply and has no effect."""

    def __init__(self, status: int, code: str, message: str, **details: str) -> None:
        super().__init__(message)
        document: Document = {"code": code, "message": message}
        if details:
            document["details"] = details
        headers = (("retry-after", "1"),) if status == 429 else ()  # noqa: PLR2004  too many
        self.reply = Reply(status, document, headers)


class Orkestra:
    """The platform's answers, on top of its books.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, books: Books, settings: Settings, clock: Callable[[], float]) -> None:
        self._books = books
        self._settings = settings
        self._clock = clock

    def answer(self, request: Request, refuse: Refuse) -> Reply:
        """Answer a request below the mount.

        Args:
            refuse: gives a code for a reference whose payout a fault wants refused, else None.
        """
        try:
            return self._route(request, refuse)
        except _RefusedError as refused:
            return refused.reply

    def _route(self, request: Request, refuse: Refuse) -> Reply:
        if not _known(request.headers.get("authorization", "")):
            raise _RefusedError(401, "unauthorized", "Missing or invalid credentials")
        match request.method, request.path.removeprefix(MOUNT).split("/")[1:]:
            case "POST", ["payouts"]:
                return self._create(request, refuse)
            case "GET", ["payouts", name]:
                return self._read(name)
            case _, ["payouts"] | ["payouts", _]:
                raise _RefusedError(405, "method_not_allowed", "This is not possible here")
            case _:
                raise _RefusedError(404, "not_found", "There is no such resource")

    # creating

    def _create(self, request: Request, refuse: Refuse) -> Reply:
        document = _parse(request)
        _check(document)
        digest = _canonical(document)
        reference = document.get("referenceId")
        now = self._clock()
        first = self._first(reference, now)
        if first is not None:
            if first["effects"][0]["canonical"] != digest:
                message = "This referenceId was used with another body"
                raise _RefusedError(409, "reference_conflict", message)
            return Reply(200, self._payout(first, now))
        account = _account(document)
        word = magic.word_of(account) if self._settings.magic else None
        again = self._books.refusals[reference, fingerprint(account)] > 0
        code = refuse(reference) or magic.refusal_of(word, again=again, late=True)
        if code is not None:
            raise self._refusal(code, request, reference, fingerprint(account))
        entry = self._entry(request, reference, now)
        effect = {
            "effect": str(payout_id(now, self._books.next_line)),
            "reference": reference,
            "amount_minor": _minor(document["amount"], document["currency"]),
            "currency": document["currency"],
            "account": fingerprint(account),
            "method": document["paymentMethod"],
            "fate": magic.fate_of(word),
            "amount": format(document["amount"], "f"),
            "canonical": digest,
        }
        if effect["fate"] == "failed":
            effect["code"] = word
        entry["effects"].append(effect)
        self._books.append(entry)
        return Reply(201, self._payout(entry, now))

    def _entry(self, request: Request, reference: str | None, now: float) -> Entry:
        return {
            "kind": "payout",
            "platform": "orkestra",
            "at": now,
            "request": hashlib.sha256(request.body).hexdigest(),
            "key": reference,
            "speed": self._settings.speed,
            "debits": {},
            "effects": [],
            "refused": [],
        }

    def _first(self, reference: str | None, now: float) -> Entry | None:
        """Give the line of the payout that this referenceId made, while it is remembered."""
        number = None if reference is None else self._books.by_reference.get(reference)
        entry = None if number is None else self._books.line(number)
        life_s = self._settings.key_life_s
        if entry is None or (life_s is not None and now - entry["at"] > life_s):
            return None
        return entry

    def _refusal(
        self, code: str, request: Request, reference: str | None, account: str
    ) -> _RefusedError:
        """Note a refused payout and give its error: 402 for funds, 429 for later, else 422."""
        entry = self._entry(request, reference, self._clock())
        entry["refused"].append({"reference": reference, "account": account, "code": code})
        self._books.append(entry)
        status = {"insufficient_funds": 402, "try_later": 429}.get(code, 422)
        return _RefusedError(status, code, magic.message_of(code))

    # reading

    def _read(self, name: str) -> Reply:
        found = self._books.find(name)
        if found is not None and found[1]["platform"] == "orkestra":
            return Reply(200, self._payout(found[1], self._clock()))
        raise _RefusedError(404, "not_found", "There is no such payout")

    def _payout(self, entry: Entry, now: float) -> Document:
        """Give the payout object as the platform shows it at a moment."""
        [effect] = entry["effects"]
        status, since = self._status(effect, entry, now)
        payout = {
            "id": int(effect["effect"]),
            "referenceId": effect["reference"],
            "amount": Decimal(effect["amount"]),
            "currency": effect["currency"],
            "paymentMethod": effect["method"],
            "status": status,
            "createdAt": _instant(entry["at"]),
            "updatedAt": _instant(since),
        }
        if status == "FAILED":
            payout["statusReason"] = f"{effect['code']}: {magic.message_of(effect['code'])}"
        return payout

    def _status(self, effect: Document, entry: Entry, now: float) -> tuple[str, float]:
        """Give the status and the instant since when it holds."""
        name, fate, begun = effect["effect"], effect["fate"], entry["at"]
        if fate == "held" and name in self._books.released:
            fate, begun = "paid", self._books.released[name]
        speed, seed = entry["speed"], effect["reference"] or name
        if life.phase(fate, seed, age=now - begun, speed=speed) is not Phase.DONE:
            return "PENDING", entry["at"]
        word = "FAILED" if fate == "failed" else "PAID"
        return word, begun + life.done_after(fate, seed, speed=speed)


# what a body has to look like


def _parse(request: Request) -> Document:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise _RefusedError(415, "unsupported_media_type", "Send application/json")
    try:
        document = json.loads(request.body, parse_float=Decimal, parse_constant=_no_constant)
    except ValueError:
        raise _RefusedError(400, "malformed", "The body is not JSON") from None
    if not isinstance(document, dict):
        raise _RefusedError(400, "malformed", "The body must be an object")
    return document


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _wrong(field: str, message: str) -> _RefusedError:
    return _RefusedError(422, "validation_error", f"{field} {message}", field=field)


def _check(document: Document) -> None:
    """Refuse a body that lacks something or whose values have the wrong shape."""
    method = _one_of(document, "paymentMethod", set(CURRENCIES))
    currency = _one_of(document, "currency", CURRENCIES[method])
    document["amount"] = _amount(document.get("amount"), currency)
    if document.get("referenceId") is not None:
        _text(document, "referenceId")
    account = document.get("receivingBankAccount")
    if account is not None or method != "CASH":
        _check_account(_object(document, "receivingBankAccount"), method)
    _check_beneficiary(_object(document, "beneficiary"), method)


def _check_account(account: Document, method: str) -> None:
    if method != "CASH":
        key = _text(account, "key")
        if method == "SPEI" and _SPEI_KEY.fullmatch(key) is None:
            raise _wrong("key", "is no CLABE or SPEI key")
    if method == "PIX":
        _text(account, "document")
        _one_of(account, "documentType", _DOCUMENTS["PIX"])


def _check_beneficiary(person: Document, method: str) -> None:
    _text(person, "firstName")
    _text(person, "lastName")
    _one_of(person, "type", {"INDIVIDUAL", "BUSINESS"})
    if method in {"PIX", "SPEI", "CASH"} or person.get("document") is not None:
        _text(person, "document")
        kinds = _DOCUMENTS.get(method)
        _text(person, "documentType") if kinds is None else _one_of(person, "documentType", kinds)
    if person.get("gender") is not None:
        _one_of(person, "gender", {"M", "F"})
    if person.get("phoneNumber") is not None and not _PHONE.fullmatch(_text(person, "phoneNumber")):
        raise _wrong("phoneNumber", "is not in E.164 form")
    if person.get("emailAddress") is not None and "@" not in _text(person, "emailAddress"):
        raise _wrong("emailAddress", "is no e-mail address")
    if person.get("birthdate") is not None and not _is_day(_text(person, "birthdate")):
        raise _wrong("birthdate", "is no YYYY-MM-DD")


def _amount(value: object, currency: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _wrong("amount", "must be a number")
    amount = Decimal(value)
    if not 0 < amount <= _AMOUNT_MAX:
        raise _wrong("amount", "must be above zero and below the limit")
    if amount.scaleb(_EXPONENTS.get(currency, 2)) % 1:
        raise _wrong("amount", f"has too many decimals for {currency}")
    return amount


def _object(document: Document, name: str) -> Document:
    value = document.get(name)
    if not isinstance(value, dict):
        raise _wrong(name, "is required and must be an object")
    return value


def _text(document: Document, name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _KEY_MAX:
        raise _wrong(name, "is required and must be text")
    return value


def _one_of(document: Document, name: str, allowed: set[str]) -> str:
    value = document.get(name)
    if not isinstance(value, str) or value not in allowed:
        raise _wrong(name, f"must be one of {', '.join(sorted(allowed))}")
    return value


def _is_day(text: str) -> bool:
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


# small things


def _known(authorization: str) -> bool:
    scheme, _, token = authorization.partition(" ")
    try:
        plain = base64.b64decode(token, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    return scheme.lower() == "basic" and plain == f"{_USER}:{_SECRET}"


def _account(document: Document) -> str:
    """Give what identifies the destination: the key, or for cash the person's document."""
    key = (document.get("receivingBankAccount") or {}).get("key")
    return str(key or document["beneficiary"].get("document"))


def _canonical(document: Document) -> str:
    """Give a hash that is equal for equal content: 10.0 is 10.00, and order is nothing."""
    text = json.dumps(document, sort_keys=True, default=lambda value: f"{value.normalize():f}")
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _minor(amount: Decimal, currency: str) -> int:
    return int(amount.scaleb(_EXPONENTS.get(currency, 2)))


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
