"""One week of gig work: 1,200 lines, several for each worker, sixteen of them bad."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from inputs.making.draw import Draw
from inputs.making.payees import amount, payee
from inputs.making.sample import Row, Sample, csv_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BAD", "COLUMNS", "MISTREATED", "sample"]

COLUMNS: Final = (
    *("reference", "name", "country", "currency", "amount", "method", "account", "account_kind"),
    *("bank_code", "branch_code", "account_type", "document", "document_kind", "network"),
    "description",
)
_LINES: Final = 1200
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_JOBS: Final = ("deliveries", "rides", "errands", "shifts", "translations", "repairs")
_WORKERS: Final = {
    "BR": 72,
    "MX": 46,
    "CO": 44,
    "AR": 32,
    "CL": 26,
    "PE": 22,
    "KE": 36,
    "GH": 24,
    "SN": 20,
    "NG": 26,
    "DE": 14,
    "ES": 16,
    "FR": 12,
    "TR": 22,
    "001": 8,
}
"""How many workers each country has."""

MISTREATED: Final = (
    ("CO", "771111", "account_closed"),
    ("SN", "773333", "name_mismatch"),
    ("MX", "778888", "rejected_by_bank"),
    ("TR", "771111", "account_closed"),
    ("KE", "774444", "try_later"),
)
"""Good lines whose account the sandbox fails, or in the last case takes the second time only."""


class _Bad(NamedTuple):
    """One bad line: whose it is, what is wrong with it, and the codes that say so."""

    country: str
    changes: Callable[[Row], Row]
    codes: tuple[str, ...]


def _set(**cells: str) -> Callable[[Row], Row]:
    return lambda _: cells


def _end(column: str, shift: int = 1) -> Callable[[Row], Row]:
    """The last digit of a cell is another one."""

    def change(row: Row) -> Row:
        text = row[column]
        return {column: text[:-1] + str((int(text[-1]) + shift) % 10)}

    return change


def _swapped(row: Row) -> Row:
    """Two neighbours of an IBAN that differ are swapped, which its check digits always notice."""
    text = row["account"]
    place = next(i for i in range(12, len(text) - 1) if text[i] != text[i + 1])
    return {"account": text[:place] + text[place + 1] + text[place] + text[place + 2 :]}


BAD: Final = (
    _Bad("ES", _swapped, ("E_IBAN_CHECK_DIGITS",)),
    _Bad("CO", _set(method="pse"), ("E_METHOD_COLLECTION_ONLY",)),
    _Bad("BR", _set(amount="10.005"), ("E_AMOUNT_PRECISION",)),
    _Bad("CL", _set(amount="12500.50"), ("E_AMOUNT_PRECISION",)),
    _Bad("AR", _set(document="", document_kind=""), ("E_REQUIRED_MISSING",)),
    _Bad("KE", _set(currency="USD", amount="40.00"), ("E_CURRENCY_NOT_IN_COUNTRY",)),
    _Bad("MX", _end("account"), ("E_CLABE_CHECK_DIGIT",)),
    _Bad("BR", _end("document"), ("E_CPF_CHECK_DIGITS",)),
    _Bad("PE", _set(amount="$85"), ("E_AMOUNT_FORMAT",)),
    _Bad("KE", _set(amount="260000.00"), ("E_AMOUNT_ABOVE_MAXIMUM",)),
    _Bad("SN", lambda row: {"account": row["account"][:-1]}, ("E_MSISDN_LENGTH",)),
    _Bad("AR", _end("account"), ("E_CBU_CHECK_DIGITS",)),
    _Bad("CL", _set(document="12.345.678-9"), ("E_RUT_CHECK_DIGIT",)),
    _Bad("GH", _set(amount="-15.00"), ("E_AMOUNT_NEGATIVE",)),
    _Bad("PE", lambda row: {"account": row["account"][:13]}, ("E_CCI_FORMAT",)),
    _Bad("001", _set(network="tron"), ("E_CRYPTO_ASSET",)),
)


def sample() -> Sample:
    """The file, with the codes of its bad lines."""
    draw = Draw("gig week 47")
    rows = _good(draw) + [_mistreated(draw, country, end) for country, end, _ in MISTREATED]
    rows += [_bad(draw, each) for each in BAD]
    placed = _by_day(rows, draw)
    for number, row in enumerate(placed, 1):
        row["reference"] = f"2026-W47-{number:05d}"
    bad = {
        number: tuple(row["codes"].split())
        for number, row in enumerate(placed, 2)
        if "codes" in row
    }
    return Sample(
        "gig_week.csv",
        csv_text(COLUMNS, placed).encode(),
        f"a week of gig work, {_LINES:,} lines for {sum(_WORKERS.values()) + len(MISTREATED) + len(BAD)} people"
        f" in {len(_WORKERS) - 1} countries and USDC; {len(BAD)} lines are rejected, each for a"
        f" reason of its own, and {len(MISTREATED) - 1} are sent and fail. Exit code 3.",
        lines=_LINES,
        codes=bad,
    )


def _good(draw: Draw) -> list[Row]:
    """Jobs of all workers: one for each, the rest by chance, so that most have several."""
    workers = [payee(country, draw) for country, count in _WORKERS.items() for _ in range(count)]
    rest = _LINES - len(workers) - len(MISTREATED) - len(BAD)
    busy = workers + [draw.one(workers) for _ in range(rest)]
    return [_job(worker, draw) for worker in busy]


def _job(worker: Row, draw: Draw) -> Row:
    day = draw.one(_DAYS)
    work = f"{day}: {draw.between(2, 14)} {draw.one(_JOBS)}"
    return worker | {"day": day, "amount": amount(worker["currency"], draw), "description": work}


def _mistreated(draw: Draw, country: str, end: str) -> Row:
    return _job(payee(country, draw, end), draw)


def _bad(draw: Draw, bad: _Bad) -> Row:
    """A line of somebody with one job, so that nobody else's payout is touched."""
    while True:
        row = _job(payee(bad.country, draw), draw)
        if _fits(bad, row):
            return row | bad.changes(row) | {"codes": " ".join(bad.codes)}


def _fits(bad: _Bad, row: Row) -> bool:
    """Whether the change hits what it is meant for."""
    wanted = {
        "E_CBU_CHECK_DIGITS": row["account"].isdigit(),
        "E_CPF_CHECK_DIGITS": row.get("account_kind") == "evp",
        "E_AMOUNT_ABOVE_MAXIMUM": row["method"] == "mobile_money",
        "E_CURRENCY_NOT_IN_COUNTRY": row["method"] == "mobile_money",
        "E_MSISDN_LENGTH": row["method"] == "mobile_money",
        "E_METHOD_COLLECTION_ONLY": row["method"] == "bank_transfer",
        "E_CRYPTO_ASSET": row.get("network") == "polygon",
    }
    return wanted.get(bad.codes[0], True)


def _by_day(rows: list[Row], draw: Draw) -> list[Row]:
    """Monday's lines first, within a day in any order."""
    return sorted(draw.shuffled(rows), key=lambda row: _DAYS.index(row["day"]))
