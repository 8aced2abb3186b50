"""Data: payee files of any length, the same at every run, made a hundred thousand lines at a time.

`turkish` is what the whole flow pays: IBANs of Turkey in TRY, for Orkesta's batches. `failing` is
the same with every hundredth account closed, as the sandbox knows by its ending. `mixed` is what
reading and checking is measured on: fourteen kinds of accounts. In all of them every fiftieth line
is bad, by each of four mistakes in turn, so that 2 % are rejected whatever the length.

>>> good_lines(100_000), good_lines(58), good_lines(57)
(98000, 56, 56)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from inputs.making.draw import Draw
from inputs.making.payees import payee

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["BATCH", "CHUNK", "closed_accounts", "failing", "good_lines", "mixed", "turkish"]

CHUNK: Final = 100_000
BATCH: Final = 500
_BAD_EVERY: Final = 50
_BAD_PLACE: Final = 7
_CLOSED_EVERY: Final = 100
_CLOSED_PLACE: Final = 31
_CLOSED: Final = "771111"
_GIVEN: Final = ("Ayşe", "Mehmet", "Zeynep", "Ana", "João", "Wanjiru", "Kofi", "Chidi", "Lena")
_FAMILY: Final = ("Şahin", "Kaya", "Souza", "Mwangi", "Mensah", "Okafor", "Weber", "García")

Table: TypeAlias = NDArray[np.int64]


def good_lines(lines: int) -> int:
    """How many of so many lines are good."""
    return lines - (lines + _BAD_EVERY - _BAD_PLACE - 1) // _BAD_EVERY


def closed_accounts(lines: int) -> int:
    """How many of so many lines of `failing` name a closed account; all of them are good."""
    return (lines + _CLOSED_EVERY - _CLOSED_PLACE - 1) // _CLOSED_EVERY


def turkish(path: Path, lines: int) -> None:
    """Write the file of the whole flow."""
    _write(path, lines, _turkish)


def failing(path: Path, lines: int) -> None:
    """Write the file of the whole flow in which 1 % of the payments fail."""
    _write(path, lines, _failing)


def mixed(path: Path, lines: int) -> None:
    """Write the file of many countries."""
    _write(path, lines, _mixed)


def _write(path: Path, lines: int, make: Callable[[int, int], pl.DataFrame]) -> None:
    with path.open("wb") as file:
        for start in range(0, lines, CHUNK):
            made = make(start, min(CHUNK, lines - start))
            file.write(made.write_csv(include_header=start == 0).encode())


def _turkish(start: int, count: int, *, closed: bool = False) -> pl.DataFrame:
    chance = np.random.default_rng(start)
    columns = ["reference", "name", "country", "currency", "amount", "method", "account"]
    bban = _joined(_bank(chance, count), _digits(chance, count, 16))
    if closed:
        bban[_CLOSED_PLACE::_CLOSED_EVERY, -6:] = _fixed(_CLOSED, 1)
    lines = _common(start, count, chance).with_columns(
        _iban("TR", bban).alias("account"),
        country=pl.lit("TR"),
        currency=pl.lit("TRY"),
        method=pl.lit("bank_transfer"),
        description=pl.format("Week 46 job {}", pl.col("n") % 97),
    )
    return _spoilt(lines).select(*columns, "description")


def _failing(start: int, count: int) -> pl.DataFrame:
    return _turkish(start, count, closed=True)


def _mixed(start: int, count: int) -> pl.DataFrame:
    chance = np.random.default_rng(start)
    common = _common(start, count, chance).with_columns(kind=pl.col("n") % len(_KINDS))
    parts = []
    for place, make in enumerate(_KINDS):
        lines = common.filter(pl.col("kind") == place)
        own = make(chance, lines.height)
        series = [pl.Series(name, [None], dtype=pl.String) for name in _OWN if name not in own]
        series += [
            pl.Series(name, [value] if isinstance(value, str) else value)
            for name, value in own.items()
        ]
        parts.append(
            lines.with_columns(
                (one if one.len() > 1 else one.new_from_index(0, lines.height)) for one in series
            ).select("n", "reference", "name", "amount", *_OWN)
        )
    pesos = pl.when(pl.col("currency") == "CLP").then(pl.col("amount").str.head(-3))
    lines = _spoilt(pl.concat(parts).sort("n").with_columns(pesos.otherwise("amount")))
    return lines.select("reference", "name", "country", "currency", "amount", *_OWN[2:])


def _common(start: int, count: int, chance: np.random.Generator) -> pl.DataFrame:
    """n, reference, name, amount of so many lines."""
    frame = pl.DataFrame(
        {
            "n": pl.int_range(start, start + count, dtype=pl.Int64, eager=True),
            "given": pl.Series(_GIVEN).gather(chance.integers(0, len(_GIVEN), count)),
            "family": pl.Series(_FAMILY).gather(chance.integers(0, len(_FAMILY), count)),
            "units": chance.integers(100, 9_999, count),
            "cents": chance.integers(0, 100, count),
        }
    )
    return frame.select(
        "n",
        pl.format("INV-{}", pl.col("n").cast(pl.String).str.zfill(8)).alias("reference"),
        pl.format("{} {}", "given", "family").alias("name"),
        pl.format("{}.{}", "units", pl.col("cents").cast(pl.String).str.zfill(2)).alias("amount"),
    )


def _spoilt(lines: pl.DataFrame) -> pl.DataFrame:
    """Every fiftieth line made bad, in its amount, name, country or account."""
    bad = pl.col("n") % _BAD_EVERY == _BAD_PLACE
    turn = pl.col("n") // _BAD_EVERY % 4
    return lines.with_columns(
        amount=pl.when(bad & (turn == 0)).then(pl.lit("12.3456789")).otherwise("amount"),
        name=pl.when(bad & (turn == 1)).then(None).otherwise("name"),
        country=pl.when(bad & (turn == 2)).then(pl.lit("QQ")).otherwise("country"),
        account=pl.when(bad & (turn == 3)).then(pl.lit("0?0")).otherwise("account"),
    ).drop("n")


# -- digits by the column --------------------------------------------------------------------------


def _digits(chance: np.random.Generator, count: int, width: int) -> Table:
    """Random digits whose last two differ, so that no number ends like a magic one."""
    made = chance.integers(0, 10, (count, width))
    made[:, -1] = np.where(made[:, -1] == made[:, -2], (made[:, -1] + 1) % 10, made[:, -1])
    return made


def _fixed(digits: str, count: int) -> Table:
    return np.tile(np.array([int(digit) for digit in digits]), (count, 1))


def _joined(*parts: Table) -> Table:
    return np.concatenate([part if part.ndim > 1 else part[:, None] for part in parts], axis=1)


def _text(digits: Table) -> pl.Series:
    rows, width = digits.shape
    raw = np.full((rows, width + 1), ord("\n"), dtype=np.uint8)
    raw[:, :width] = digits + ord("0")
    return pl.Series(raw.tobytes().decode("ascii").split("\n")[:-1])


def _behind(prefix: str, digits: Table) -> pl.Series:
    return pl.select(pl.concat_str(pl.lit(prefix), _text(digits))).to_series()


def _remainder(digits: Table, modulus: int) -> Table:
    rest = np.zeros(len(digits), dtype=np.int64)
    for place in range(digits.shape[1]):
        rest = (rest * 10 + digits[:, place]) % modulus
    return rest


def _weighted(digits: Table, *weights: int) -> Table:
    """Sums of digits times weights, which are repeated from the left."""
    sums: Table = digits @ np.resize(np.array(weights), digits.shape[1])
    return sums


# -- kinds of accounts; each check digit as inputs/making/checkdigits.py has it --------------------

_OWN: Final = (
    "country",
    "currency",
    "method",
    "account",
    "account_kind",
    "bank_code",
    "account_type",
    "document",
    "document_kind",
    "network",
)


def _iban(country: str, bban: Table) -> pl.Series:
    spelled = "".join(str(int(letter, 36)) for letter in country) + "00"
    check = 98 - _remainder(_joined(bban, _fixed(spelled, len(bban))), 97)
    return _behind(country, _joined(check // 10, check % 10, bban))


def _bank(chance: np.random.Generator, count: int) -> Table:
    """A bank and the digit that is reserved."""
    banks = np.array([[0, 0, 0, 1, 0, 0], [0, 0, 0, 6, 1, 0], [0, 0, 0, 6, 2, 0]])
    return banks[chance.integers(0, len(banks), count)]


def _cpf(chance: np.random.Generator, count: int) -> pl.Series:
    made = _digits(chance, count, 9)
    for _ in range(2):
        width = made.shape[1]
        made = _joined(made, _weighted(made, *range(width + 1, 1, -1)) * 10 % 11 % 10)
    return _text(made)


Own: TypeAlias = "dict[str, str | pl.Series]"


def _turkey(chance: np.random.Generator, count: int) -> Own:
    account = _iban("TR", _joined(_bank(chance, count), _digits(chance, count, 16)))
    return {"country": "TR", "currency": "TRY", "method": "bank_transfer", "account": account}


def _germany(chance: np.random.Generator, count: int) -> Own:
    account = _iban("DE", _joined(_fixed("37040044", count), _digits(chance, count, 10)))
    return {"country": "DE", "currency": "EUR", "method": "sepa", "account": account}


def _belgium(chance: np.random.Generator, count: int) -> Own:
    ten = _joined(_fixed("363", count), _digits(chance, count, 7))
    check = _remainder(ten, 97)
    check = np.where(check == 0, 97, check)
    account = _iban("BE", _joined(ten, check // 10, check % 10))
    return {"country": "BE", "currency": "EUR", "method": "sepa", "account": account}


def _pix(chance: np.random.Generator, count: int, kind: str, account: pl.Series | None) -> Own:
    document = _cpf(chance, count)
    return {
        "country": "BR",
        "currency": "BRL",
        "method": "pix",
        "account": document if account is None else account,
        "account_kind": kind,
        "document": document,
        "document_kind": "CPF",
    }


def _pix_cpf(chance: np.random.Generator, count: int) -> Own:
    return _pix(chance, count, "cpf", None)


def _pix_evp(chance: np.random.Generator, count: int) -> Own:
    raw = pl.DataFrame({"raw": [chance.bytes(16).hex() for _ in range(count)]})
    cut = pl.col("raw").str
    text = raw.select(
        pl.format(
            "{}-{}-4{}-a{}-{}",
            cut.slice(0, 8),
            cut.slice(8, 4),
            cut.slice(13, 3),
            cut.slice(17, 3),
            cut.slice(20, 12),
        )
    ).to_series()
    return _pix(chance, count, "evp", text)


def _argentina(chance: np.random.Generator, count: int) -> Own:
    def block(digits: Table) -> Table:
        weights = [(3, 1, 7, 9)[place % 4] for place in range(digits.shape[1])][::-1]
        return _joined(digits, -_weighted(digits, *weights) % 10)

    ten = _joined(_fixed("20", count), _fixed("3", count), _digits(chance, count, 7))
    while (odd := -_weighted(ten, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2) % 11 == 10).any():
        ten[odd, -2] = (ten[odd, -2] + 1) % 10  # a rest of 10 is never given out
    person = _joined(ten, -_weighted(ten, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2) % 11)
    head = _joined(_fixed("0110031", count))
    account = _text(_joined(block(head), block(_digits(chance, count, 13))))
    return {
        "country": "AR",
        "currency": "ARS",
        "method": "bank_transfer",
        "account": account,
        "document": _text(person),
        "document_kind": "CUIL",
    }


def _chile(chance: np.random.Generator, count: int) -> Own:
    body = _joined(_fixed("1", count), _digits(chance, count, 7))
    rest = -_weighted(body, 3, 2, 7, 6, 5, 4, 3, 2) % 11
    digit = pl.Series(list("0123456789K")).gather(rest)
    rut = pl.select(pl.concat_str(_text(body), pl.lit("-"), digit)).to_series()
    return {
        "country": "CL",
        "currency": "CLP",
        "method": "bank_transfer",
        "account": _text(_joined(_fixed("1", count), _digits(chance, count, 10))),
        "bank_code": "001",
        "account_type": "checking",
        "document": rut,
        "document_kind": "RUT",
    }


def _colombia(chance: np.random.Generator, count: int) -> Own:
    return {
        "country": "CO",
        "currency": "COP",
        "method": "nequi",
        "account": _behind("300", _digits(chance, count, 7)),
        "document": _behind("1", _digits(chance, count, 9)),
        "document_kind": "CC",
    }


def _nigeria(chance: np.random.Generator, count: int) -> Own:
    nine = _digits(chance, count, 9)
    seed = _joined(_fixed("000058", count), nine)
    return {
        "country": "NG",
        "currency": "NGN",
        "method": "bank_transfer",
        "account": _text(_joined(nine, -_weighted(seed, 3, 7, 3) % 10)),
        "bank_code": "058",
    }


def _kenya(chance: np.random.Generator, count: int) -> Own:
    account = _behind("+25471", _digits(chance, count, 7))
    return {"country": "KE", "currency": "KES", "method": "mobile_money", "account": account}


def _ghana(chance: np.random.Generator, count: int) -> Own:
    account = _behind("024", _digits(chance, count, 7))
    return {
        "country": "GH",
        "currency": "GHS",
        "method": "mobile_money",
        "account": account,
        "network": "MTN",
    }


def _peru(chance: np.random.Generator, count: int) -> Own:
    def control(block: Table) -> Table:
        products = block * np.resize(np.array([1, 2]), block.shape[1])
        return -_weighted(products // 10 + products % 10, 1) % 10

    head = _joined(_fixed("002", count), _digits(chance, count, 3))
    body = _digits(chance, count, 12)
    return {
        "country": "PE",
        "currency": "PEN",
        "method": "bank_transfer",
        "account": _text(_joined(head, body, control(head), control(body))),
        "document": _behind("4", _digits(chance, count, 7)),
        "document_kind": "DNI",
    }


def _world(chance: np.random.Generator, count: int) -> Own:
    account = pl.Series([f"0x{chance.bytes(20).hex()}" for _ in range(count)])
    return {
        "country": "001",
        "currency": "USDC",
        "method": "crypto_transfer",
        "account": account,
        "network": "polygon",
    }


def _mexico(chance: np.random.Generator, count: int) -> Own:
    digits = _joined(_fixed("012180", count), _digits(chance, count, 11))
    products = digits * np.resize(np.array([3, 7, 1]), digits.shape[1]) % 10
    draw = Draw("benchmark")
    people = pl.Series([payee("MX", draw)["document"] for _ in range(200)])
    return {
        "country": "MX",
        "currency": "MXN",
        "method": "spei",
        "account": _text(_joined(digits, -_weighted(products, 1) % 10)),
        "document": people.gather(chance.integers(0, 200, count)),
        "document_kind": "CURP",
    }


_KINDS: Final = (
    _turkey,
    _germany,
    _belgium,
    _pix_cpf,
    _pix_evp,
    _argentina,
    _chile,
    _colombia,
    _nigeria,
    _kenya,
    _ghana,
    _peru,
    _world,
    _mexico,
)
