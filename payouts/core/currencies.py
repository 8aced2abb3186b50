"""Currencies: every code an amount may carry, with the number of decimals of its smallest unit.

Three kinds of code: the active currencies of ISO 4217 (list one, published 2026-01-01), the two
stablecoins of the coverage table (assets, not ISO 4217), and withdrawn codes, which are only known
so that a refusal can name the successor.

>>> currency("XOF").exponent
0
>>> SUCCESSORS["BGN"]
'EUR'
>>> currency("BGN")
Traceback (most recent call last):
payouts.core.errors.UsageError: BGN was withdrawn: its successor is EUR
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from payouts.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CURRENCIES", "SUCCESSORS", "Currency", "currency"]


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency or asset in which an amount can be stated.

    Args:
        code: ISO 4217 letters, or USDT / USDC.
        exponent: decimals of the smallest unit; 1 EUR is 10**2 minor units.
        asset: a token and no money of ISO 4217.
        successor: the code that replaced it; only SLL, which the platform still lists, has one.
    """

    code: str
    exponent: int
    asset: bool = False
    successor: str | None = None

    def __str__(self) -> str:
        """The code."""
        return self.code


# ISO 4217 list one of 2026-01-01, by exponent. Codes without a minor unit (gold, SDR, test codes)
# can carry no payout and are left out.
_BY_EXPONENT: Final[Mapping[int, str]] = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD "
        "CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP "
        "GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK "
        "LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO "
        "NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS "
        "SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST "
        "XAD XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

_SUCCESSORS: Final[Mapping[str, str]] = {
    "AFN": "AFA",
    "ALL": "ALK",
    "AOA": "AOK AON AOR",
    "ARS": "ARA ARL ARP ARY",
    "AZN": "AYM AZM",
    "BAM": "BAD",
    "BOB": "BOP",
    "BRL": "BRB BRC BRE BRN BRR",
    "BYN": "BYB BYR",
    "CDF": "ZRN ZRZ",
    "CLP": "CLE",
    "CUP": "CUC",
    "CZK": "CSK",
    "EUR": (
        "ADP ATS BEF BGJ BGK BGL BGN CYP DDM DEM EEK ESP FIM FRF GRD HRD HRK IEP ITL LTL LTT LUF "
        "LVL LVR MTL MTP NLG PTE SIT SKK XEU"
    ),
    "GEL": "GEK",
    "GHS": "GHC GHP",
    "GNF": "GNE GNS",
    "ILS": "ILP ILR",
    "ISK": "ISJ",
    "LAK": "LAJ",
    "LSL": "LSM",
    "MGA": "MGF",
    "MMK": "BUK",
    "MRU": "MRO",
    "MVR": "MVQ",
    "MXN": "MXP",
    "MZN": "MZE MZM",
    "NIO": "NIC",
    "PEN": "PEH PEI PES",
    "PLN": "PLZ",
    "RON": "ROK ROL",
    "RSD": "CSD YUD YUM YUN",
    "RUB": "RUR SUR",
    "SDG": "SDD SDP",
    "SLE": "SLL",
    "SRD": "SRG",
    "STN": "STD",
    "TJS": "TJR",
    "TMT": "TMM",
    "TRY": "TRL",
    "UAH": "UAK",
    "UGX": "UGS UGW",
    "USD": "ECS TPE",
    "UYU": "UYN UYP",
    "VES": "VEB VEF",
    "VND": "VNC",
    "XAF": "GQE",
    "XCG": "ANG",
    "XOF": "GWE GWP MLF",
    "YER": "YDD",
    "ZAR": "ZAL",
    "ZMW": "ZMK",
    "ZWG": "RHD ZWC ZWD ZWL ZWN ZWR",
}

SUCCESSORS: Final[Mapping[str, str]] = MappingProxyType(
    {code: successor for successor, codes in _SUCCESSORS.items() for code in codes.split()}
)
"""Withdrawn code → the code that replaced it (ISO 4217 list three). Holds SLL too."""

CURRENCIES: Final[Mapping[str, Currency]] = MappingProxyType(
    {
        code: Currency(code, exponent)
        for exponent, codes in _BY_EXPONENT.items()
        for code in codes.split()
    }
    | {
        # USDT and USDC have 6 decimals on Ethereum, TRON and Solana; BNB Chain's 18 are the
        # connector's business, ours is one unit per asset (PAYEES §1.9).
        "USDT": Currency("USDT", 6, asset=True),
        "USDC": Currency("USDC", 6, asset=True),
        # Withdrawn on 2024-01-01 (1 SLE = 1,000 SLL), payable because the platform's coverage
        # table still says SLL; never converted (PAYEES §2.2).
        "SLL": Currency("SLL", 2, successor="SLE"),
    }
)
"""Every code in which an amount can be stated, by code."""


def currency(code: str) -> Currency:
    """The currency of `code` (upper-case letters).

    Raises:
        UsageError: the code was withdrawn (its successor is named) or never existed.
    """
    found = CURRENCIES.get(code)
    if found is not None:
        return found
    successor = SUCCESSORS.get(code)
    if successor is not None:
        raise UsageError(
            f"{code} was withdrawn: its successor is {successor}",
            hint=f"State the amount in {successor}.",
            code="E_CURRENCY_WITHDRAWN",
        )
    raise UsageError(
        f"{code!r} is no currency",
        hint="Write an ISO 4217 code in capitals, for example EUR, or USDT or USDC.",
        code="E_CURRENCY_UNKNOWN",
    )
