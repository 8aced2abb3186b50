"""Reading and checking a file of many countries, and the check digits of a million IBANs."""

from __future__ import annotations

import csv
import re
import time
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import schwifty
from pydantic import BaseModel, ValidationError, field_validator, model_validator
from stdnum import iban as stdnum_iban

from inputs.making import checkdigits
from payouts.intake import coverage
from payouts.intake.checks import Rules, check
from payouts.intake.identifiers import iban
from payouts.intake.reader import chunks
from payouts.intake.survey import survey
from tests.benchmarks.data import CHUNK, good_lines
from tests.benchmarks.ways import Facts, Place, require, way

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

_SAMPLE: Final = 20_000


@way("read.polars")
def _polars(place: Place) -> Facts:
    """The floor: every column as text, in batches."""
    begun = time.perf_counter()
    scanned = pl.scan_csv(place.mixed, infer_schema=False)
    lines = sum(batch.height for batch in scanned.collect_batches(chunk_size=CHUNK))
    seconds = time.perf_counter() - begun
    require("lines", lines, place.lines)
    return {"seconds": seconds, "items": lines}


@way("read.survey")
def _survey(place: Place) -> Facts:
    begun = time.perf_counter()
    lines = survey(place.mixed).lines
    seconds = time.perf_counter() - begun
    require("lines", lines, place.lines)
    return {"seconds": seconds, "items": lines}


@way("read.ours")
def _ours(place: Place) -> Facts:
    surveyed = survey(place.mixed)
    rules = Rules(coverage.load(), "sandbox", date(2026, 11, 20))
    begun = time.perf_counter()
    good = sum(check(chunk.readable(), rules).good.height for chunk in chunks(surveyed))
    seconds = time.perf_counter() - begun
    require("good lines", good, good_lines(place.lines))
    return {"seconds": seconds, "items": place.lines}


# -- by hand ---------------------------------------------------------------------------------------

_AMOUNT = re.compile(r"[0-9]{1,15}(?:\.([0-9]+))?")
_EVP = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_PATTERNS: Final = {
    "CO": re.compile(r"3[0-9]{9}"),
    "KE": re.compile(r"\+254[17][0-9]{8}"),
    "GH": re.compile(r"0[25][0-9]{8}"),
    "001": re.compile(r"0x[0-9a-f]{40}"),
}
_DECIMALS: Final = {"CLP": 0, "USDC": 6}
_CURRENCIES: Final = {
    "TR": "TRY", "DE": "EUR", "BE": "EUR", "BR": "BRL", "AR": "ARS", "CL": "CLP", "CO": "COP",
    "NG": "NGN", "KE": "KES", "GH": "GHS", "PE": "PEN", "001": "USDC", "MX": "MXN",
}  # fmt: skip


def _is_iban(account: str, length: int) -> bool:
    return (
        len(account) == length
        and account[2:].isdecimal()
        and int(f"{account[4:]}{int(account[0], 36)}{int(account[1], 36)}{account[2:4]}") % 97 == 1
    )


def _is_brazilian(account: str, document: str) -> bool:
    person = len(document) == 11 and checkdigits.cpf(document[:9]) == document
    return person and (account == document or _EVP.fullmatch(account) is not None)


def _is_argentinian(account: str, document: str) -> bool:
    parts = account[:3], account[3:7], account[8:21]
    right = len(account) == 22 and account.isdecimal() and checkdigits.cbu(*parts) == account
    return right and checkdigits.cuil(document[:10]) == document


def _is_chilean(account: str, document: str) -> bool:
    body, _, digit = document.partition("-")
    return account.isdecimal() and checkdigits.rut(body)[-1] == digit


def _matching(pattern: re.Pattern[str]) -> Callable[[str, str], bool]:
    return lambda account, _: pattern.fullmatch(account) is not None


_KINDS: Final[dict[str, Callable[[str, str], bool]]] = {
    "TR": lambda account, _: _is_iban(account, 26),
    "DE": lambda account, _: _is_iban(account, 22),
    "BE": lambda account, _: _is_iban(account, 16),
    "BR": _is_brazilian,
    "AR": _is_argentinian,
    "CL": _is_chilean,
    "NG": lambda account, _: (
        account.isdecimal() and checkdigits.nuban("058", account[:9]) == account
    ),
    "PE": lambda account, _: (
        account.isdecimal() and checkdigits.cci(account[:3], account[3:6], account[6:18]) == account
    ),
    "MX": lambda account, document: (
        account.isdecimal()
        and checkdigits.clabe(account[:17]) == account
        and checkdigits.curp_digit(document[:17]) == document
    ),
    **{country: _matching(pattern) for country, pattern in _PATTERNS.items()},
}


def minor_units(amount: str, currency: str) -> int | None:
    """The amount in minor units; nothing where it is none, or not in whole ones."""
    found = _AMOUNT.fullmatch(amount)
    decimals = _DECIMALS.get(currency, 2)
    if found is None or len(found[1] or "") > decimals:
        return None
    return int(Decimal(amount).scaleb(decimals)) or None


def is_good(row: dict[str, str]) -> bool:
    """What a person would check by hand of one line."""
    country = row["country"]
    return (
        bool(row["reference"] and row["name"])
        and _CURRENCIES.get(country) == row["currency"]
        and minor_units(row["amount"], row["currency"]) is not None
        and _KINDS[country](row["account"], row["document"])
    )


@way("read.by_hand")
def _by_hand(place: Place) -> Facts:
    begun = time.perf_counter()
    good, seen = 0, set()
    with place.mixed.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        header = next(lines)
        for cells in lines:
            row = dict(zip(header, cells, strict=True))
            if is_good(row) and row["reference"] not in seen:
                seen.add(row["reference"])
                good += 1
    seconds = time.perf_counter() - begun
    require("good lines", good, good_lines(place.lines))
    return {"seconds": seconds, "items": place.lines}


class _Line(BaseModel):
    """A line as the field would write it."""

    reference: str
    name: str
    country: str
    currency: str
    amount: Decimal
    method: str
    account: str
    document: str = ""

    @field_validator("reference", "name")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value:
            raise ValueError("blank")
        return value

    @model_validator(mode="after")
    def _right(self) -> Self:
        if _CURRENCIES.get(self.country) != self.currency:
            raise ValueError("currency")
        if minor_units(str(self.amount), self.currency) is None:
            raise ValueError("amount")
        if not _KINDS[self.country](self.account, self.document):
            raise ValueError("account")
        return self


@way("read.pydantic")
def _pydantic(place: Place) -> Facts:
    with place.mixed.open(encoding="utf-8", newline="") as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(_SAMPLE), strict=False)]
    text = [",".join(row.values()) for row in rows]
    names = list(rows[0])
    begun = time.perf_counter()
    good: list[_Line] = []
    for row in csv.DictReader(text, names):
        try:
            good.append(_Line.model_validate(row))
        except ValidationError:
            continue
    seconds = time.perf_counter() - begun
    require("good lines", len(good), good_lines(len(rows)))
    return {"seconds": seconds, "items": len(rows)}


# -- IBAN ------------------------------------------------------------------------------------------


def _ibans(place: Place) -> pl.Series:
    accounts = pl.read_csv(place.turkish, infer_schema=False, columns=["account"])["account"]
    return accounts.filter(accounts.str.len_bytes() == 26)


@way("iban.ours")
def _iban_ours(place: Place) -> Facts:
    accounts = _ibans(place)
    begun = time.perf_counter()
    wrong = sum(
        pl.select(iban.problem(pl.lit(accounts.slice(start, CHUNK)))).to_series().count()
        for start in range(0, accounts.len(), CHUNK)
    )
    seconds = time.perf_counter() - begun
    require("wrong IBANs", wrong, 0)
    return {"seconds": seconds, "items": accounts.len()}


@way("iban.numpy")
def _iban_numpy(place: Place) -> Facts:
    """The floor: 26 columns of bytes, one pass of arithmetic, no rule but modulo 97."""
    accounts = _ibans(place)
    begun = time.perf_counter()
    right = 0
    for start in range(0, accounts.len(), CHUNK):
        part = accounts.slice(start, CHUNK)
        raw = np.frombuffer("".join(part.to_list()).encode("ascii"), dtype=np.uint8)
        table = raw.reshape(-1, 26)[:, [*range(4, 26), 0, 1, 2, 3]]
        rest = np.zeros(len(table), dtype=np.int64)
        for place_of in range(26):
            column = table[:, place_of].astype(np.int64)
            letter = column >= ord("A")
            rest = np.where(letter, rest * 100 + column - 55, rest * 10 + column - 48) % 97
        right += int((rest == 1).sum())
    seconds = time.perf_counter() - begun
    require("right IBANs", right, accounts.len())
    return {"seconds": seconds, "items": accounts.len()}


@way("iban.by_hand")
def _iban_by_hand(place: Place) -> Facts:
    accounts = _ibans(place).to_list()
    begun = time.perf_counter()
    right = sum(_is_iban(account, 26) for account in accounts)
    seconds = time.perf_counter() - begun
    require("right IBANs", right, len(accounts))
    return {"seconds": seconds, "items": len(accounts)}


@way("iban.schwifty")
def _iban_schwifty(place: Place) -> Facts:
    accounts = _ibans(place).head(_SAMPLE).to_list()
    begun = time.perf_counter()
    right = sum(schwifty.IBAN(account, allow_invalid=True).is_valid for account in accounts)
    seconds = time.perf_counter() - begun
    require("right IBANs", right, len(accounts))
    return {"seconds": seconds, "items": len(accounts)}


@way("iban.stdnum")
def _iban_stdnum(place: Place) -> Facts:
    accounts = _ibans(place).head(_SAMPLE).to_list()
    begun = time.perf_counter()
    right = sum(stdnum_iban.is_valid(account, check_country=False) for account in accounts)
    seconds = time.perf_counter() - begun
    require("right IBANs", right, len(accounts))
    return {"seconds": seconds, "items": len(accounts)}
