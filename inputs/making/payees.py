"""Payees: somebody of a country, with an account as its rail wants it.

A maker takes chance and, where the sandbox has to treat the account badly on purpose, the six
characters that the account ends in.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from inputs.making import checkdigits
from inputs.making.people import company, person

if TYPE_CHECKING:
    from collections.abc import Callable

    from inputs.making.draw import Draw
    from inputs.making.people import Person
    from inputs.making.sample import Row

__all__ = ["AMOUNTS", "MAGIC", "WORKERS", "amount", "payee", "sepa", "sepa_company"]

MAGIC: Final = ("771111", "772222", "773333", "774444", "775555", "776666", "777777", "778888")
"""Endings that the sandbox knows; an account gets one only on purpose. So does 779999."""

AMOUNTS: Final = {
    "BRL": (1800, 14000, 2, 1),
    "MXN": (9000, 90000, 2, 50),
    "COP": (1200000, 9500000, 2, 10000),
    "ARS": (400000, 3800000, 2, 1000),
    "CLP": (3500, 28000, 0, 10),
    "PEN": (1500, 12000, 2, 10),
    "KES": (25000, 320000, 2, 100),
    "GHS": (2000, 26000, 2, 5),
    "XOF": (1500, 19000, 0, 25),
    "NGN": (180000, 2400000, 2, 500),
    "EUR": (1200, 14000, 2, 1),
    "TRY": (18000, 220000, 2, 25),
    "USDC": (800, 9000, 2, 25),
}
"""One job, in units of so many decimals: least, most, decimals, step."""

_ULID: Final = "0123456789abcdefghjkmnpqrstvwxyz"


def amount(currency: str, draw: Draw) -> str:
    """What one job earns."""
    low, high, decimals, step = AMOUNTS[currency]
    units = draw.between(low // step, high // step) * step
    if not decimals:
        return str(units)
    return f"{units // 10**decimals}.{units % 10**decimals:0{decimals}d}"


def payee(country: str, draw: Draw, end: str = "") -> Row:
    """A gig worker of a country, whose account ends in `end`."""
    while True:
        someone = person(country, draw)
        made = WORKERS[country](someone, draw, end)
        if made is None or not made["account"].endswith(end):
            continue
        if end or not made["account"].endswith((*MAGIC, "779999")):
            return {"name": someone.name, "country": country} | made


def sepa(country: str, draw: Draw) -> Row:
    """Somebody with a bank account in a SEPA country."""
    return payee(country, draw)


def sepa_company(country: str, draw: Draw) -> Row:
    """A supplier with a bank account in a SEPA country."""
    return payee(country, draw) | {"name": company(country, draw)}


def _plain(text: str) -> str:
    """Small ASCII letters of a name; the dotless i has no parts to take apart."""
    spelled = unicodedata.normalize("NFKD", text.replace("\u0131", "i"))
    return spelled.encode("ascii", "ignore").decode().lower()


def _mobile(draw: Draw, end: str, *prefixes: str, length: int) -> str:
    """A number of so many digits behind one of the prefixes."""
    prefix = draw.one(prefixes)
    middle = length - len(prefix) - len(end)
    return prefix + "".join(str(draw.below(10)) for _ in range(middle)) + end


def _zeros(draw: Draw, count: int) -> str:
    """So many digits, any of them 0."""
    return "".join(str(draw.below(10)) for _ in range(count))


def _argentina(someone: Person, draw: Draw, end: str) -> Row | None:
    document = checkdigits.cuil(
        ("27" if someone.woman else "20") + str(draw.between(18, 45)) + _zeros(draw, 6)
    )
    way = "cbu" if end else draw.one(("cbu", "cbu", "cvu", "alias"))
    if way == "alias":
        account = f"{_plain(someone.given)}.{_plain(someone.surnames[0])}.{draw.one(('mp', 'uala', 'brubank'))}"[
            :20
        ]
    else:
        bank, branch = (
            ("000", "0031")
            if way == "cvu"
            else (draw.one(("007", "011", "017", "072", "285")), draw.digits(4))
        )
        account = checkdigits.cbu(bank, branch, draw.digits(13))
    if document is None:
        return None
    return {
        "currency": "ARS",
        "method": "bank_transfer",
        "account": account,
        "document": document,
        "document_kind": "CUIL",
    }


def _brazil(someone: Person, draw: Draw, end: str) -> Row:
    document = checkdigits.cpf(_zeros(draw, 9))
    kind = "phone" if end else draw.one(("cpf", "cpf", "phone", "email", "evp"))
    area = draw.one(("11", "21", "31", "41", "51", "61", "71", "81", "85"))
    hexadecimal = draw.letters(32, "0123456789abcdef")
    keys = {
        "cpf": f"{document[:3]}.{document[3:6]}.{document[6:9]}-{document[9:]}",
        "phone": _mobile(draw, end, f"+55{area}98", f"+55{area}99", length=14),
        "email": f"{_plain(someone.given)}.{_plain(someone.surnames[-1])}{draw.between(1, 99)}@example.com",
        "evp": "-".join(
            (
                hexadecimal[:8],
                hexadecimal[8:12],
                "4" + hexadecimal[13:16],
                "a" + hexadecimal[17:20],
                hexadecimal[20:],
            )
        ),
    }
    return {
        "currency": "BRL",
        "method": "pix",
        "account": keys[kind],
        "account_kind": kind,
        "document": document,
        "document_kind": "CPF",
    }


def _chile(_someone: Person, draw: Draw, end: str) -> Row:
    document = checkdigits.rut(str(draw.between(8_000_000, 24_999_999)))
    bank, kind = draw.one(
        (
            ("012", "vista"),
            ("001", "checking"),
            ("016", "checking"),
            ("037", "checking"),
            ("049", "savings"),
        )
    )
    return {
        "currency": "CLP",
        "method": "bank_transfer",
        "account": draw.digits(11 - len(end)) + end,
        "bank_code": bank,
        "account_type": kind,
        "document": document,
        "document_kind": "RUT",
    }


def _colombia(_someone: Person, draw: Draw, end: str) -> Row:
    citizen = {"currency": "COP", "document": draw.digits(draw.one((8, 10))), "document_kind": "CC"}
    method = "nequi" if end else draw.one(("nequi", "nequi", "daviplata", "bank_transfer"))
    if method == "bank_transfer":
        return citizen | {
            "method": method,
            "account": draw.digits(11),
            "bank_code": draw.one(("1007", "1051", "1013")),
            "account_type": draw.one(("savings", "checking")),
        }
    return citizen | {
        "method": method,
        "account": _mobile(draw, end, "300", "301", "310", "312", "315", "320", length=10),
    }


def _mexico(someone: Person, draw: Draw, end: str) -> Row:
    bank = draw.one(("002", "012", "014", "021", "044", "072", "127", "646", "722"))
    city = draw.one(("180", "320", "580", "650", "010"))
    account = checkdigits.clabe(bank + city + _zeros(draw, 11 - max(0, len(end) - 1)) + end[:-1])
    return {
        "currency": "MXN",
        "method": "spei",
        "account": account,
        "document": _curp(someone, draw),
        "document_kind": "CURP",
    }


def _curp(someone: Person, draw: Draw) -> str:
    """A CURP: letters of the names, birth date, sex, state, consonants, century, digit."""
    first, second = (_plain(name).upper() for name in someone.surnames)
    given = _plain(someone.given).upper()
    vowel = next((char for char in first[1:] if char in "AEIOU"), "X")
    inner = [
        next((char for char in name[1:] if char not in "AEIOU"), "X")
        for name in (first, second, given)
    ]
    year = draw.between(1970, 2005)
    born = f"{year % 100:02d}{draw.between(1, 12):02d}{draw.between(1, 28):02d}"
    state = draw.one(("DF", "JC", "MC", "NL", "PL", "GT", "VZ"))
    century = "A" if year >= 2000 else "0"  # noqa: PLR2004  a letter for this century
    return checkdigits.curp_digit(
        first[0]
        + vowel
        + second[0]
        + given[0]
        + born
        + ("M" if someone.woman else "H")
        + state
        + "".join(inner)
        + century
    )


def _peru(_someone: Person, draw: Draw, _end: str) -> Row:
    bank, office = draw.one(("002", "003", "009", "011")), _zeros(draw, 3)
    return {
        "currency": "PEN",
        "method": "bank_transfer",
        "account": checkdigits.cci(bank, office, _zeros(draw, 12)),
        "document": draw.digits(8),
        "document_kind": "DNI",
    }


def _ghana(_someone: Person, draw: Draw, end: str) -> Row:
    if not end and draw.below(4) == 0:
        return {
            "currency": "GHS",
            "method": "bank_transfer",
            "account": draw.digits(13),
            "bank_code": draw.one(("030100", "040100", "130100", "190100")),
        }
    network, prefixes = draw.one(
        (("MTN", ("024", "054", "055", "059")), ("Telecel", ("020", "050")), ("AT", ("026", "027")))
    )
    return {
        "currency": "GHS",
        "method": "mobile_money",
        "account": _mobile(draw, end, *prefixes, length=10),
        "network": network,
    }


def _kenya(_someone: Person, draw: Draw, end: str) -> Row:
    if not end and draw.below(6) == 0:
        return {
            "currency": "KES",
            "method": "bank_transfer",
            "account": draw.digits(13),
            "bank_code": draw.one(("01", "11", "68", "03")),
            "branch_code": _zeros(draw, 3),
        }
    network, prefixes = draw.one(
        (("M-Pesa", ("25471", "25472", "25470")), ("M-Pesa", ("25479",)), ("Airtel", ("25473",)))
    )
    return {
        "currency": "KES",
        "method": "mobile_money",
        "account": "+" + _mobile(draw, end, *prefixes, length=12),
        "network": network,
    }


def _nigeria(_someone: Person, draw: Draw, end: str) -> Row:
    if draw.below(5) == 0:
        return {
            "currency": "NGN",
            "method": "mobile_money",
            "account": _mobile(draw, end, "0803", "0806", "0813", "0703", length=11),
            "network": "MoMo",
        }
    bank = draw.one(("011", "033", "044", "057", "058"))
    return {
        "currency": "NGN",
        "method": "bank_transfer",
        "account": checkdigits.nuban(bank, _zeros(draw, 9)),
        "bank_code": bank,
    }


def _senegal(_someone: Person, draw: Draw, end: str) -> Row:
    if not end and draw.below(5) == 0:
        bban = checkdigits.rib(
            draw.one(("SN012", "SN010", "SN079")), "01" + _zeros(draw, 3), _zeros(draw, 12)
        )
        return {
            "currency": "XOF",
            "method": "bank_transfer",
            "account": checkdigits.iban("SN", bban),
        }
    network, prefixes = draw.one(
        (("Orange Money", ("22177", "22178")), ("Wave", ("22177",)), ("Yas", ("22176",)))
    )
    return {
        "currency": "XOF",
        "method": "mobile_money",
        "account": "+" + _mobile(draw, end, *prefixes, length=12),
        "network": network,
    }


def _turkey(_someone: Person, draw: Draw, end: str) -> Row:
    account = "acc_01h" + draw.letters(23 - len(end), _ULID) + end
    return {
        "currency": "TRY",
        "method": draw.one(("eft", "eft", "bank_transfer")),
        "account": account,
    }


def _world(_someone: Person, draw: Draw, _end: str) -> Row:
    network = draw.one(("polygon", "base", "ethereum", "solana"))
    if network == "solana":
        account = checkdigits.base58(bytes(draw.between(1, 255) for _ in range(32)))
    else:
        account = checkdigits.eip55(draw.letters(40, "0123456789abcdef"))
    return {"currency": "USDC", "method": "crypto_transfer", "account": account, "network": network}


def _german(draw: Draw) -> str:
    return draw.one(("10010010", "20041133", "37040044", "50010517", "70120400")) + _zeros(draw, 10)


def _spanish(draw: Draw) -> str:
    bank = draw.one(("0049", "0081", "0182", "2100"))
    return checkdigits.spanish(bank, _zeros(draw, 4), _zeros(draw, 10))


def _french(draw: Draw) -> str:
    bank = draw.one(("10278", "20041", "30004", "30006"))
    return checkdigits.rib(bank, _zeros(draw, 5), _zeros(draw, 11))


def _italian(draw: Draw) -> str:
    bank = draw.one(("01030", "02008", "03069", "05034"))
    return checkdigits.italian(bank, _zeros(draw, 5), _zeros(draw, 12))


def _belgian(draw: Draw) -> str:
    ten = draw.one(("001", "063", "363", "731")) + _zeros(draw, 7)
    return f"{ten}{int(ten) % 97 or 97:02d}"


def _austrian(draw: Draw) -> str:
    return draw.one(("12000", "20111", "32000", "60000")) + _zeros(draw, 11)


def _portuguese(draw: Draw) -> str:
    nineteen = draw.one(("0007", "0018", "0033", "0035")) + _zeros(draw, 15)
    return f"{nineteen}{98 - int(nineteen) * 100 % 97:02d}"


def _irish(draw: Draw) -> str:
    return draw.one(("AIBK93", "BOFI90", "IPBS99")) + _zeros(draw, 12)


def _finnish(draw: Draw) -> str:
    return checkdigits.finnish(draw.one(("123456", "570000", "800017")) + _zeros(draw, 7))


def _dutch(draw: Draw) -> str:
    """A bank and ten digits that pass the eleven test, weights 10 to 1."""
    while True:
        nine = _zeros(draw, 9)
        last = -sum(int(d) * (10 - place) for place, d in enumerate(nine)) % 11
        if last < 10:  # noqa: PLR2004  one digit
            return draw.one(("ABNA", "INGB", "RABO", "TRIO")) + nine + str(last)


_BBANS: Final[dict[str, Callable[[Draw], str]]] = {
    "DE": _german,
    "ES": _spanish,
    "FR": _french,
    "IT": _italian,
    "NL": _dutch,
    "BE": _belgian,
    "AT": _austrian,
    "PT": _portuguese,
    "IE": _irish,
    "FI": _finnish,
}
"""National account numbers, with the check digits that the country itself has."""


def _european(country: str) -> Callable[[Person, Draw, str], Row | None]:
    def make(_someone: Person, draw: Draw, _end: str) -> Row:
        account = checkdigits.iban(country, _BBANS[country](draw))
        return {"currency": "EUR", "method": "sepa", "account": account}

    return make


WORKERS: Final[dict[str, Callable[[Person, Draw, str], Row | None]]] = {
    "AR": _argentina,
    "BR": _brazil,
    "CL": _chile,
    "CO": _colombia,
    "GH": _ghana,
    "KE": _kenya,
    "MX": _mexico,
    "NG": _nigeria,
    "PE": _peru,
    "SN": _senegal,
    "TR": _turkey,
    "001": _world,
} | {country: _european(country) for country in _BBANS}
"""By country: how somebody there is paid; None where chance gave a number that is never given."""
