"""Check digits, written a second time: what the product checks by expressions is plain here.

tests/test_inputs.py compares the files that come of it with the libraries of the field.

>>> iban("DE", "370400440532013000")
'DE89370400440532013000'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from Crypto.Hash import keccak

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "base58",
    "cbu",
    "cci",
    "clabe",
    "cpf",
    "cuil",
    "curp_digit",
    "eip55",
    "finnish",
    "iban",
    "italian",
    "nuban",
    "rib",
    "rut",
    "spanish",
]


def _sum(digits: str, weights: Iterable[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def iban(country: str, bban: str) -> str:
    """Two check digits so that the number with the country behind it is 1 modulo 97 (ISO 13616)."""
    spelled = "".join(str(int(char, 36)) for char in f"{bban}{country}00")
    return f"{country}{98 - int(spelled) % 97:02d}{bban}"


def spanish(bank: str, branch: str, account: str) -> str:
    """Bank, branch, two control digits, account: weights 1, 2, 4 … modulo 11 (Spain)."""

    def control(ten: str) -> str:
        rest = 11 - _sum(ten, (1, 2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11
        return str({10: 1, 11: 0}.get(rest, rest))

    return bank + branch + control("00" + bank + branch) + control(account) + account


def rib(bank: str, branch: str, account: str) -> str:
    """Bank, branch, account and key, 97 minus the number modulo 97; letters count 1 to 9.

    France and the CFA countries; their bank codes may begin with two letters.
    """
    table = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "12345678912345678923456789", strict=True))
    number = "".join(table.get(char, char) for char in bank + branch + account)
    return f"{bank}{branch}{account}{97 - int(number) * 100 % 97:02d}"


def italian(abi: str, cab: str, account: str) -> str:
    """A control letter in front: odd places by a table, even ones as they are, modulo 26 (Italy)."""
    odd = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)
    digits = [int(char) for char in abi + cab + account]
    total = sum(odd[d] if place % 2 == 0 else d for place, d in enumerate(digits))
    return chr(ord("A") + total % 26) + abi + cab + account


def finnish(thirteen: str) -> str:
    """Luhn's digit behind thirteen (Finland)."""
    doubled = (int(d) * (2 - place % 2) for place, d in enumerate(thirteen))
    return thirteen + str(-sum(d // 10 + d % 10 for d in doubled) % 10)


def clabe(seventeen: str) -> str:
    """Weights 3, 7, 1, each product modulo 10 (Banco de México)."""
    products = (int(d) * (3, 7, 1)[place % 3] % 10 for place, d in enumerate(seventeen))
    return seventeen + str(-sum(products) % 10)


def cpf(nine: str) -> str:
    """Two digits modulo 11, weights from 2 up from the right (Receita Federal)."""
    made = nine
    for _ in range(2):
        rest = _sum(made, range(len(made) + 1, 1, -1)) * 10 % 11
        made += str(rest % 10)
    return made


def cuil(ten: str) -> str | None:
    """One digit modulo 11; None where it would be 10, which is never given out (AFIP)."""
    rest = -_sum(ten, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return None if rest == 10 else ten + str(rest)  # noqa: PLR2004  not one digit


def cbu(bank: str, branch: str, account: str) -> str:
    """Two blocks, each with a digit of weights 3, 1, 7, 9 from the right, modulo 10 (BCRA)."""

    def block(digits: str) -> str:
        weights = [(3, 1, 7, 9)[place % 4] for place in range(len(digits))][::-1]
        return digits + str(-_sum(digits, weights) % 10)

    return block(bank + branch) + block(account)


def rut(body: str) -> str:
    """A digit or K, weights 2 to 7 from the right, modulo 11 (Registro Civil)."""
    weights = [2 + place % 6 for place in range(len(body))][::-1]
    return f"{int(body):,}-".replace(",", ".") + "0123456789K"[-_sum(body, weights) % 11]


def cci(bank: str, office: str, account: str) -> str:
    """Bank, office, account, two digits: weights 1, 2, digits of products summed, modulo 10."""

    def control(block: str) -> str:
        products = (int(d) * (1 + place % 2) for place, d in enumerate(block))
        return str(-sum(p // 10 + p % 10 for p in products) % 10)

    return bank + office + account + control(bank + office) + control(account)


def nuban(bank: str, nine: str) -> str:
    """A tenth digit: weights 3, 7, 3 over the bank's six digits and nine (CBN, 2020)."""
    return nine + str(-_sum(f"000{bank}{nine}", (3, 7, 3) * 5) % 10)


def curp_digit(seventeen: str) -> str:
    """The CURP with its digit: weights 18 to 2, letters after digits with Ñ in its place (RENAPO)."""
    order = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(order.index(char) * (18 - place) for place, char in enumerate(seventeen))
    return seventeen + str(-total % 10)


def eip55(digits: str) -> str:
    """The address whose letters are capital where the hash of its small letters says so (EIP-55)."""
    marks = keccak.new(digest_bits=256, data=digits.encode()).hexdigest()
    return (
        "0x"
        + "".join(
            char.upper() if int(mark, 16) > 7 else char  # noqa: PLR2004  the upper half of a digit
            for char, mark in zip(digits, marks[:40], strict=True)
        )
    )


def base58(data: bytes) -> str:
    """Bytes in Bitcoin's base 58: no 0, O, I and l."""
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = alphabet[rest] + text
    return text
