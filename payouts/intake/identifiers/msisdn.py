"""Mobile number: the account of a mobile-money wallet, written as country code and number.

>>> accounts = ["0712 345678", "+254 712 345678", "254712345678", "+256772123456", "0712345"]
>>> frame = pl.DataFrame({"account": accounts, "country": "KE"})
>>> number = normalised(pl.col("account"), pl.col("country"))
>>> frame.select(number).to_series().to_list()
['254712345678', '254712345678', '254712345678', '+256772123456', '0712345']
>>> frame.select(problem(number, pl.col("country"))).to_series().to_list()
[None, None, None, 'E_MSISDN_COUNTRY', 'E_MSISDN_LENGTH']
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

import polars as pl

from payouts.intake.identifiers import text
from payouts.intake.identifiers.staged import by_value, staged

__all__ = ["OPERATORS", "e164", "network_problem", "normalised", "problem", "shape"]

OPERATORS: Final[dict[str, dict[str, str]]] = {
    "BF": {"moov": "0[1-3]|5[0-3]|6[0-3]|7[0-3]", "orange": "0[4-7]|4|5[4-7]|6[4-7]|7[4-7]"},
    "BJ": {
        "mtn": "014[26]|015[0-46-79]|016[12679]|019[0167]",
        "moov": "0145|0155|0158|016[03458]|019[4589]",
        "celtiis": "012[89]|014[0134789]|019[23]",
    },
    "CI": {"orange": "07", "mtn": "05", "moov": "01"},
    "CM": {"mtn": "65[0-4]|67|68[0-3]", "orange": "64|65[5-9]|68[6-9]|69"},
    "ET": {"telebirr": "[89]", "mpesa": "7"},
    "GH": {"mtn": "2[45]|5[3-59]", "telecel": "[25]0", "at": "2[367]|5[67]"},
    "KE": {
        "mpesa": "11|14|18|7[01249]|75[7-9]|76[89]",
        "airtel": "10|13[5-9]|73|75[0-6]|78",
        "tkash": "77",
    },
    "MW": {"airtel": "9", "tnm": "8"},
    "RW": {"mtn": "7[89]", "airtel": "7[23]"},
    "SN": {"orange": "7[178]", "yas": "76", "expresso": "70"},
    "TZ": {
        "mpesa": "7[24-69]",
        "yas": "6[57]|7[017]",
        "airtel": "6[0689]|78",
        "halopesa": "6[1-3]",
    },
    "UG": {"mtn": "7[678]|79[0-5]", "airtel": "70|73[0-2]|7[45]"},
    "ZM": {"airtel": "[579]7", "mtn": "[579]6", "zamtel": "[579]5"},
}
"""Which national numbers an operator was given: libphonenumber's carrier data, November 2026.

A hint only, since people keep their number when they change the operator (GH, KE, NG, ZA).
"""

_ALIASES: Final[dict[str, str]] = {
    "airtel": "airtel",
    "at": r"^at\b|airteltigo|at ?money|\bat\b",
    "celtiis": "celtiis|sbin",
    "expresso": "expresso|e-?money",
    "halopesa": "halo|viettel",
    "moov": "moov|flooz",
    "mpesa": "m-?pesa|safaricom|vodacom",
    "mtn": "mtn|momo",
    "orange": "orange",
    "telebirr": "telebirr|ethio",
    "telecel": "telecel|vodafone",
    "tkash": "t-?kash|telkom",
    "tnm": "tnm|mpamba",
    "yas": "yas|mixx|tigo|free",
    "zamtel": "zamtel",
}
"""How an operator's wallet is written, as a regular expression over lower-case text."""

_OLD = {
    "BJ": (r"^(?:229)?[2-9][0-9]{7}$", "E_MSISDN_OLD_BENIN"),
    "CI": (r"^(?:225)?[0-9]{8}$", "E_MSISDN_OLD_IVORY_COAST"),
    "MX": (r"^521[0-9]{10}$", "E_MSISDN_OLD_MEXICO"),
}
"""Numbers of a plan that is over: never completed by us, since a wrong digit pays a stranger."""

_NEVER: Final = r"[^\s\S]"


@dataclass(frozen=True, slots=True)
class _Plan:
    """The numbering plan of one country: calling code, trunk prefix, mobile lengths and shape."""

    code: str
    trunk: str
    lengths: tuple[int, ...]
    mobile: str


def normalised(account: pl.Expr, country: pl.Expr) -> pl.Expr:
    """E.164 digits without the `+`: `254712345678`; null stays null.

    Blanks, brackets, dots, dashes and a leading `+` or `00` go. A national number, with or without
    its trunk prefix, gets the calling code of `country`, never one guessed from its digits. A
    number of another country keeps its `+`, and one of a wrong length stays as written.
    """
    columns = {"account": text.without(account, r"().\-/"), "country": country}
    return by_value(columns, "country", _canonical)


def problem(account: pl.Expr, country: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised mobile number of `country`, or null.

    Length and mobile ranges are those of Google's libphonenumber, which does not tell mobile from
    fixed in AR, CL, MX, US and CA. Benin's 8 digits (dead since 30 Nov 2024), Ivory Coast's 8
    (since 31 Jan 2021) and Mexico's 1 behind the country code (since 3 Aug 2020) have codes of
    their own. Null stays null, and a country without a plan is a warning.

    Oracle: `phonenumbers` on random numbers (tests/intake/identifiers/test_msisdn.py).
    """
    return by_value({"account": account, "country": country}, "country", _code)


def e164(phone: pl.Expr, country: pl.Expr) -> pl.Expr:
    """A telephone number with `+` and country code, where the country's plan is sure of it.

    Anything else stays as written, null too: a contact's number is no account.
    """
    number = normalised(phone, country)
    code = problem(number, country)
    is_sure = code.is_null() | (code == "E_MSISDN_NOT_MOBILE")
    return (
        pl.when(number.str.contains(r"^\+[1-9][0-9]{6,14}$"))
        .then(number)
        .when(is_sure & number.str.contains(r"^[1-9][0-9]{6,14}$"))
        .then("+" + number)
        .otherwise(phone)
    )


def network_problem(account: pl.Expr, country: pl.Expr, network: pl.Expr) -> pl.Expr:
    """`W_MSISDN_NETWORK` where the stated operator is not the one the number was given to."""
    columns = {"account": account, "country": country, "network": network}
    return by_value(columns, "country", _network_code)


def shape(region: str) -> str:
    """The national mobile numbers of a country as a regular expression.

    >>> re.fullmatch(shape("CI"), "0707123456") is not None
    True
    """
    plan = _plan(region)
    return _NEVER if plan is None else f"^(?:{plan.mobile})$"


def _canonical(region: str) -> pl.Expr:
    number, plan = pl.col("account"), _plan(region)
    if plan is None:
        return number
    code, trunk = len(plan.code), len(plan.trunk)
    bare, national, rest = pl.col("bare"), pl.col("national"), pl.col("rest")
    is_abroad, is_coded = pl.col("is_abroad"), pl.col("is_coded")

    def fits(text_: pl.Expr, beyond: int) -> pl.Expr:
        return text_.str.len_bytes().is_in([length + beyond for length in plan.lengths])

    has_trunk = national.str.starts_with(plan.trunk) & fits(national, trunk)
    return staged(
        {"number": number},
        {
            "is_abroad": pl.col("number").str.contains(r"^(?:\+|00)"),
            "bare": pl.col("number").str.replace(r"^(?:\+|00)", ""),
        },
        {
            "is_coded": bare.str.starts_with(plan.code)
            & (is_abroad | fits(pl.col("number"), code) | fits(pl.col("number"), code + trunk))
        },
        {"national": pl.when(is_coded).then(bare.str.slice(code)).otherwise(pl.col("number"))},
        {"rest": pl.when(has_trunk).then(national.str.slice(trunk)).otherwise(national)},
        {
            "answer": pl.when(is_coded | (fits(rest, 0) & ~is_abroad))
            .then(plan.code + rest)
            .when(is_abroad)
            .then("+" + bare)
            .otherwise(pl.col("number"))
        },
    )


def _code(region: str) -> pl.Expr:
    number, plan = pl.col("account"), _plan(region)
    if plan is None:
        return pl.when(number.is_not_null()).then(pl.lit("W_MSISDN_UNCHECKED"))
    old, old_code = _OLD.get(region, (_NEVER, ""))
    # A trunk prefix that is still there belongs to a number with a digit too few.
    cut = number.str.starts_with(plan.code + (plan.trunk or _NEVER))
    sizes = [len(plan.code) + length for length in plan.lengths]
    return (
        pl.when(number.str.contains(f"^{plan.code}(?:{plan.mobile})$"))
        .then(None)
        .when(number.str.contains(old))
        .then(pl.lit(old_code))
        .when(number.str.contains(r"^\+[0-9]+$"))
        .then(pl.lit("E_MSISDN_COUNTRY"))
        .when(~number.str.contains(r"^[0-9]+$"))
        .then(pl.lit("E_MSISDN_FORMAT"))
        .when(~number.str.starts_with(plan.code) | ~number.str.len_bytes().is_in(sizes) | cut)
        .then(pl.lit("E_MSISDN_LENGTH"))
        .when(number.is_not_null())
        .then(pl.lit("E_MSISDN_NOT_MOBILE"))
    )


def _network_code(region: str) -> pl.Expr:
    number, network = pl.col("account"), pl.col("network").str.to_lowercase()
    plan, operators = _plan(region), OPERATORS.get(region)
    if plan is None or operators is None:
        return pl.lit(None, dtype=pl.String)
    differs = pl.lit(value=False)
    for operator, prefixes in operators.items():
        others = "|".join(prefix for name, prefix in operators.items() if name != operator)
        is_own = number.str.contains(f"^{plan.code}(?:{prefixes})")
        is_other = number.str.contains(f"^{plan.code}(?:{others})")
        differs |= network.str.contains(_ALIASES[operator]) & is_other & ~is_own
    return pl.when(differs).then(pl.lit("W_MSISDN_NETWORK"))


@cache
def _plan(region: str) -> _Plan | None:
    """The plan of a country (libphonenumber's metadata), or None where there is none."""
    from phonenumbers import PhoneMetadata  # noqa: PLC0415  loaded for files that need it

    metadata = PhoneMetadata.metadata_for_region(region, None)
    if metadata is None or metadata.mobile is None or not metadata.mobile.national_number_pattern:
        return None
    return _Plan(
        code=str(metadata.country_code),
        trunk=metadata.national_prefix or "",
        lengths=tuple(metadata.mobile.possible_length),
        mobile=re.sub(r"\\d", "[0-9]", metadata.mobile.national_number_pattern),
    )
