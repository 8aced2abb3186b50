"""Template: a file for a user to fill in, with the columns that one country and method need.

>>> from payouts.intake.coverage import load
>>> template_frame(load(), "kenya", "momo").columns
['reference', 'name', 'country', 'currency', 'amount', 'method', 'account', 'description']
>>> template_frame(load(), "BJ", "bank")
Traceback (most recent call last):
payouts.core.errors.UsageError: nobody can be paid by 'bank' in Benin; it may be mobile_money
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.core.countries import country_name, near, read_country
from payouts.core.errors import UsageError
from payouts.core.methods import read_method
from payouts.intake.coverage import coverage_of
from payouts.intake.examples import example_lines
from payouts.intake.frames import CANONICAL
from payouts.intake.identifiers.crypto import NATIVE
from payouts.intake.identifiers.document import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from payouts.core.coverage import Coverage, CoverageRow

__all__ = ["template_choices", "template_frame", "write_template"]

_ROWS: Final = 10_000
_WIDTH: Final = 22
_TEXT: Final = 49  # the built-in number format "@", which is text
_LIST_MAX: Final = 255  # Excel's limit of a list that stands in the cell's own rule
_PIX_KINDS: Final = ("cpf", "cnpj", "phone", "email", "evp")


def template_frame(
    coverage: pl.DataFrame, country: str, method: str, currency: str | None = None
) -> pl.DataFrame:
    """Two example lines that can be paid, under the columns that their coverage row needs.

    Args:
        coverage: the frame of `intake.coverage.load`.
        country: code or English name.
        method: method or a word for it.
        currency: which one where the country has several; by default the table's first.

    Returns:
        canonical columns, all String, two rows.

    Raises:
        UsageError: nobody can be paid so; the message lists what is right.
    """
    row = _row(coverage_of(coverage), country, method, currency)
    lines = example_lines(row)
    columns = [name for name in CANONICAL if name in lines[0]]
    return pl.DataFrame(
        [[line.get(name) for name in columns] for line in lines],
        schema=dict.fromkeys(columns, pl.String),
        orient="row",
    )


def template_choices(coverage: pl.DataFrame, frame: pl.DataFrame) -> dict[str, tuple[str, ...]]:
    """What the drop-downs of a template offer: column → values; only columns of the frame."""
    table, country = coverage_of(coverage), frame.item(0, "country")
    documents = tuple(kind.name for kind in KINDS.get(country, ()))
    choices = {
        "country": (country,),
        "currency": table.currencies(country),
        "method": table.methods(country),
        "account_kind": _PIX_KINDS,
        "document_kind": documents,
        "network": tuple(sorted({name for names in NATIVE.values() for name in names})),
    }
    return {name: values for name, values in choices.items() if values and name in frame.columns}


def write_template(
    frame: pl.DataFrame, path: Path, choices: Mapping[str, tuple[str, ...]] | None = None
) -> None:
    """Write a template as CSV, or as a workbook where the path ends in .xlsx.

    The workbook's columns are text, so that a spreadsheet keeps zeros and long numbers, and the
    columns in `choices` have drop-downs.
    """
    if path.suffix.lower() == ".xlsx":
        _write_workbook(frame, path, choices or {})
    else:
        frame.write_csv(path)


def _row(table: Coverage, country: str, method: str, currency: str | None) -> CoverageRow:
    code = read_country(country)
    if code is None:
        raise UsageError(
            f"'{country}' is no country" + "".join(f", near it {name}" for name in near(country)),
            hint="Write two letters of ISO 3166-1 or an English name; a SEPA payment names the "
            "country of the account, and 001 is the world of stablecoins.",
            code="E_COUNTRY_UNKNOWN",
        )
    rows = table.payable(code)
    if not rows:
        raise UsageError(
            f"nobody can be paid in {country_name(code)}",
            hint="These countries can be paid: " + ", ".join(table.countries()),
            code="E_COUNTRY_NOT_COVERED",
        )
    named = [row for name in read_method(method) for row in rows if row.method == name]
    if not named:
        raise UsageError(
            f"nobody can be paid by '{method}' in {country_name(code)}; "
            f"it may be {', '.join(table.methods(code))}",
            hint="Choose a method of the list.",
            code="E_METHOD_NOT_IN_COUNTRY",
        )
    wanted = (currency or named[0].currency).upper()
    found = next((row for row in named if row.currency == wanted), None)
    if found is None:
        raise UsageError(
            f"'{currency}' cannot be paid by {named[0].method} in {country_name(code)}; "
            f"it may be {', '.join(row.currency for row in named)}",
            hint="Choose a currency of the list.",
            code="E_CURRENCY_NOT_IN_COUNTRY",
        )
    return found


def _write_workbook(
    frame: pl.DataFrame, path: Path, choices: Mapping[str, tuple[str, ...]]
) -> None:
    from xlsxwriter import Workbook  # type: ignore[import-untyped]  # noqa: PLC0415  workbooks only

    with Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        text, head = book.add_format({"num_format": _TEXT}), book.add_format({"bold": True})
        sheet = book.add_worksheet("payouts")
        sheet.set_column(0, len(frame.columns) - 1, _WIDTH, text)
        sheet.freeze_panes(1, 0)
        for column, name in enumerate(frame.columns):
            sheet.write_string(0, column, name, head)
            for number, cell in enumerate(frame[name], 1):
                sheet.write_string(number, column, cell or "", text)
            values = choices.get(name, ())
            if values and len(",".join(values)) <= _LIST_MAX:
                rule = {"validate": "list", "source": list(values)}
                sheet.data_validation(1, column, _ROWS, column, rule)
