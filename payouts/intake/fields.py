"""Fields: what can be wrong with the texts of a line that identify no account.

Names, references, descriptions, dates and addresses. A check is an expression that gives a code
or null; the frame-wide ones are cheap, and the thorough ones run only on the few lines whose text
is not plain ASCII of the expected length.

>>> frame = pl.DataFrame({"line": [2, 3], "name": ["Ana Silva", "<b>Ana</b>"]})
>>> markup = pl.when(pl.col("name").str.contains("<")).then(pl.lit("W_NAME_MARKUP"))
>>> run(frame, [Check("name", markup)]).rows()
[(3, 'W_NAME_MARKUP', 'name', '<b>Ana</b>', '')]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.core.latin import LETTERS, SEPA, UNSENDABLE
from payouts.intake.combinations import needs
from payouts.intake.frames import CANONICAL, masked, no_problems

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

__all__ = ["BIDI", "EXAMPLE", "Check", "due_date", "field_problems", "run", "sepa_text"]

EXAMPLE: Final = "EXAMPLE-"
"""How the references of a template's example lines begin; a live run refuses them."""

# Characters that reorder text or show nothing: bidi controls, zero-width marks, soft hyphen.
BIDI: Final = r"[\x{AD}\x{61C}\x{180E}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{206F}\x{FEFF}]"
_CONTROL: Final = r"[\x00-\x1F\x7F-\x9F\x{2028}\x{2029}\x{FFF9}-\x{FFFD}]"
_NAME: Final = r"^[A-Za-z][A-Za-z0-9/\-?:().,'+ ]{0,69}$"
_INITIALS: Final = r"(?:^|\s)\p{L}\.?(?:\s|$)"
_MARKUP: Final = r"^[=+\-@]|[<>]"
_REFERENCE: Final = r"^[!-~ ]{1,64}$"
_DESCRIPTION: Final = r"^[A-Za-z0-9/\-?:().,'+ ]{1,140}$"
_EMAIL: Final = r"^[^@\s\x00-\x20<>(),;:]{1,64}@[^@\s.<>(),;:]+(?:\.[^@\s.<>(),;:]+)+$"
_PHONE: Final = r"^\+?[(]?[0-9][0-9 ().\-/]{4,24}$"
_E164: Final = r"^\+[1-9][0-9]{6,14}$"
_DATE: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

_REFERENCE_MAX: Final = 64
_NAME_MAX: Final = 140
_SEPA_NAME_MAX: Final = 70  # Nm of pain.001 in SEPA (EPC)
_DESCRIPTION_MAX: Final = 140  # Ustrd of pain.001 in SEPA (EPC)
_EMAIL_MAX: Final = 254  # RFC 5321
_SHORT_MAX: Final = 64
_ACCOUNT_MAX: Final = 128
_DUE_MAX_DAYS: Final = 366
_VALUE_MAX: Final = 60

_PRIVATE: Final = ("account", "document", "phone", "email")
_SHORT: Final = (
    "account_kind",
    "bank_code",
    "branch_code",
    "account_type",
    "document",
    "document_kind",
    "network",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One question to a column.

    Args:
        column: the canonical column it is about.
        code: the code of the problem, null where there is none: String.
        allowed: what would be right: String.
        value: what to show; by default the column, masked where it is private.
        of_blanks: whether the check has something to say about blank cells.
    """

    column: str
    code: pl.Expr
    allowed: pl.Expr = field(default_factory=lambda: pl.lit(""))
    value: pl.Expr | None = None
    of_blanks: bool = False

    def found(self, hit: pl.DataFrame, code: pl.Series) -> pl.DataFrame:
        """The problems frame of the lines that were hit, `code` being theirs."""
        return hit.select(
            pl.col("line"),
            code.alias("code"),
            pl.lit(self.column).alias("column"),
            self._shown().fill_null("").alias("value"),
            self.allowed.fill_null("").alias("allowed"),
        )

    def _shown(self) -> pl.Expr:
        if self.value is not None:
            return self.value
        if self.column in _PRIVATE:
            return masked(pl.col(self.column))
        shown = pl.col(self.column).str.head(_VALUE_MAX)
        return shown.str.replace_all(_CONTROL, "\ufffd").str.replace_all(BIDI, "\ufffd")


def run(frame: pl.DataFrame, checks: Iterable[Check]) -> pl.DataFrame:
    """The problems that checks find on the lines of a frame, as a problems frame.

    All codes are computed in one pass; what is shown only for lines that were hit.
    """
    filled = [name for name in frame.columns if frame[name].null_count() < frame.height]
    asked = [check for check in checks if check.of_blanks or check.column in filled]
    codes = frame.select(check.code.alias(str(number)) for number, check in enumerate(asked))
    found = [no_problems()]
    for check, code in zip(asked, codes, strict=True):
        if code.null_count() < frame.height:
            hit = code.is_not_null()
            found.append(check.found(frame.filter(hit), code.filter(hit)))
    return pl.concat(found)


def field_problems(
    lines: pl.DataFrame, today: date, *, has_reference: bool, live: bool
) -> pl.DataFrame:
    """Everything that is wrong with the texts of lines, as a problems frame.

    Args:
        lines: what `combined` gives.
        today: due dates before it are refused.
        has_reference: whether the file has a reference column at all.
        live: whether real money is moved, so that a template's examples are refused.
    """
    odd = lines.select(
        name=~pl.col("name").str.contains(_NAME),
        reference=~pl.col("reference").str.contains(_REFERENCE),
        description=~pl.col("description").str.contains(_DESCRIPTION),
        by_document=_IS_BY_DOCUMENT,
    )
    names = lines.select("line", "name", "method")
    odd_names = names.filter(odd["name"])
    odd_descriptions = lines.select("line", "description", "method").filter(odd["description"])
    return pl.concat(
        [
            run(lines, [*_blanks(lines, has_reference=has_reference), *_everywhere(today)]),
            run(lines, _EXAMPLES if live else ()),
            run(lines.select("line", "reference").filter(odd["reference"]), _REFERENCES),
            run(odd_names, _NAMES),
            run(_spelled(odd_names, "name"), [_SEPA_NAME_LENGTH, *_spelling("name")]),
            run(names.filter(odd["by_document"]), _DOCUMENT_NAMES),
            run(odd_descriptions, _DESCRIPTIONS),
            run(_spelled(odd_descriptions, "description"), _spelling("description")),
        ]
    )


def due_date(column: pl.Expr) -> pl.Expr:
    """The day of a text of the form 2026-12-31: Date, null for anything else."""
    return pl.when(column.str.contains(_DATE)).then(column.str.to_date("%Y-%m-%d", strict=False))


def sepa_text(column: pl.Expr) -> pl.Expr:
    """`core.latin.to_sepa` for a column: the text in the characters that SEPA allows."""
    signs, latin = list(LETTERS), list(LETTERS.values())
    spelled = column.str.replace_many(signs, latin)
    bare = spelled.str.normalize("NFKD").str.replace_all(r"[\x{300}-\x{36F}]", "")
    return bare.str.replace_many(signs, latin).str.replace_all(f"[^{SEPA[1:]}", UNSENDABLE)


def _when(condition: pl.Expr, code: str) -> pl.Expr:
    return pl.when(condition).then(pl.lit(code))


def _matches(column: str, pattern: str, code: str) -> Check:
    return Check(column, _when(pl.col(column).str.contains(pattern), code))


def _longer(column: str, longest: int, code: str) -> Check:
    size = pl.col(column).str.len_chars()
    return Check(
        column,
        _when((pl.col(column).str.len_bytes() > longest) & (size > longest), code),
        pl.format("at most {} characters, not {}", pl.lit(longest), size),
    )


def _blanks(lines: pl.DataFrame, *, has_reference: bool) -> list[Check]:
    """Columns that must not be blank, by the coverage row of each line."""
    masks = lines["needed"].unique().drop_nulls().to_list()
    words = {mask: _needed_words(mask) for mask in masks}
    allowed = pl.col("needed").replace_strict(words, return_dtype=pl.String)
    checks = [
        Check(
            column,
            _when(needs(column) & pl.col(column).is_null(), "E_REQUIRED_MISSING"),
            allowed,
            pl.lit(""),
            of_blanks=True,
        )
        for number, column in enumerate(CANONICAL)
        if any(mask >> number & 1 for mask in masks)
    ]
    if has_reference:
        missing = _when(pl.col("reference").is_null(), "E_REFERENCE_MISSING")
        checks.append(Check("reference", missing, value=pl.lit(""), of_blanks=True))
    return checks


def _needed_words(mask: int) -> str:
    return ", ".join(name for number, name in enumerate(CANONICAL) if mask >> number & 1)


def _everywhere(today: date) -> list[Check]:
    """Checks that look at every line; cheap, and skipped for columns that are blank throughout."""
    due, last = due_date(pl.col("due_date")), pl.lit(today).dt.offset_by(f"{_DUE_MAX_DAYS}d")
    is_number = pl.col("phone").str.contains(_PHONE)
    is_e164 = pl.col("phone").str.contains(_E164)
    is_address = pl.col("email").str.contains(_EMAIL) & (
        pl.col("email").str.len_bytes() <= _EMAIL_MAX
    )
    return [
        *(_matches(column, _CONTROL, "E_FIELD_CONTROL") for column in _SHORT),
        *(_longer(column, _SHORT_MAX, "E_FIELD_LENGTH") for column in _SHORT),
        _longer("account", _ACCOUNT_MAX, "E_FIELD_LENGTH"),
        Check("email", _when(~is_address, "E_EMAIL_FORMAT")),
        Check("phone", _when(~(is_number & (is_e164 | ~needs("phone"))), "E_PHONE_FORMAT")),
        Check(
            "due_date", _when(pl.col("due_date").is_not_null() & due.is_null(), "E_DUE_DATE_FORMAT")
        ),
        Check("due_date", _when(due < today, "E_DUE_DATE_PAST")),
        Check("due_date", _when(due > last, "E_DUE_DATE_FAR"), last.cast(pl.String)),
    ]


def _spelled(lines: pl.DataFrame, column: str) -> pl.DataFrame:
    """The SEPA lines, with what is sent of a column as `sent`."""
    return lines.filter(_IS_SEPA).with_columns(sepa_text(pl.col(column)).alias("sent"))


def _spelling(column: str) -> list[Check]:
    """Says how a text is spelled in a SEPA message, or that nothing readable is left of it."""
    text, sent = pl.col(column), pl.col("sent")
    readable = sent.str.contains("[A-Za-z0-9]")
    lost = text.str.contains(r"\p{L}") & ~readable
    return [
        Check(column, _when(lost, f"E_{column.upper()}_SCRIPT")),
        Check(
            column,
            _when(readable & (text != sent), f"W_{column.upper()}_TRANSLITERATED"),
            sent.str.head(_NAME_MAX),
        ),
    ]


_IS_SEPA: Final = pl.col("method") == "sepa"
# Cash is paid out against a document; banks of Sierra Leone refuse initials (PAYEES §1.3, §1.5).
_IS_BY_DOCUMENT: Final = (pl.col("method") == "cash") | (pl.col("country") == "SL")

_REFERENCES: Final = (
    _longer("reference", _REFERENCE_MAX, "E_REFERENCE_LENGTH"),
    _matches("reference", f"{_CONTROL}|{BIDI}", "E_REFERENCE_CHARACTERS"),
)
_EXAMPLES: Final = (_matches("reference", f"^{EXAMPLE}[0-9]+$", "E_REFERENCE_EXAMPLE"),)
_NAMES: Final = (
    _longer("name", _NAME_MAX, "E_NAME_LENGTH"),
    _matches("name", _CONTROL, "E_NAME_CONTROL"),
    _matches("name", BIDI, "W_NAME_BIDI"),
    _matches("name", _MARKUP, "W_NAME_MARKUP"),
    Check("name", _when(~pl.col("name").str.contains(r"\p{L}"), "E_NAME_LETTERS")),
)
_SEPA_NAME_LENGTH: Final = Check(
    "name",
    _when(
        pl.col("name").str.len_chars().is_between(_SEPA_NAME_MAX + 1, _NAME_MAX), "E_NAME_LENGTH"
    ),
    pl.lit(f"at most {_SEPA_NAME_MAX} characters in SEPA"),
)
_DOCUMENT_NAMES: Final = (_matches("name", _INITIALS, "W_NAME_INITIALS"),)
_DESCRIPTIONS: Final = (
    _longer("description", _DESCRIPTION_MAX, "E_DESCRIPTION_LENGTH"),
    _matches("description", _CONTROL, "E_DESCRIPTION_CONTROL"),
)
