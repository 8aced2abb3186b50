"""Document: the identity or tax number of a payee, judged by country and kind.

>>> frame = pl.DataFrame(
...     {
...         "document": ["12.345.678-5", "123.456.789-09", "1.020.304", "AB123456"],
...         "country": ["CL", "BR", "CO", "CO"],
...         "document_kind": [None, None, "Cédula", "passport"],
...     }
... )
>>> columns = (pl.col("document"), pl.col("country"), pl.col("document_kind"))
>>> frame.select(kind(*columns)).to_series().to_list()
['rut', 'cpf', 'cc', 'passport']
>>> document = normalised(*columns)
>>> frame.select(document).to_series().to_list()
['123456785', '12345678909', '1020304', 'AB123456']
>>> frame.select(problem(document, pl.col("country"), kind(*columns))).to_series().to_list()
[None, None, None, None]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.intake.identifiers import (
    cnpj,
    cpf,
    cuit,
    ec,
    mexico,
    nit,
    pe_ruc,
    rut,
    tckn,
    text,
    za_id,
)
from payouts.intake.identifiers.staged import by_value, by_word

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KINDS", "DocumentKind", "kind", "kind_of", "normalised", "problem"]


def _shaped(pattern: str) -> Callable[[pl.Expr], pl.Expr]:
    """A document that only its shape can judge."""
    return lambda document: pl.when(~document.str.contains(pattern)).then(
        pl.lit("E_DOCUMENT_FORMAT")
    )


def _citizen(document: pl.Expr) -> pl.Expr:
    """Colombia's citizen's card: up to ten digits; fewer than six are those of the very old."""
    return (
        pl.when(~document.str.contains(r"^[0-9]{3,10}$"))
        .then(pl.lit("E_DOCUMENT_FORMAT"))
        .when(document.str.len_bytes() < 6)  # noqa: PLR2004  PAYEES §1.1
        .then(pl.lit("W_DOCUMENT_LENGTH"))
    )


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """One kind of document of one country.

    Args:
        name: what the line's `document_kind` becomes.
        words: how files name it, as a regular expression over lower-case text.
        shape: the normalised documents that are of this kind where the file names none.
        problem: normalised document → problem code or null.
    """

    name: str
    words: str
    shape: str
    problem: Callable[[pl.Expr], pl.Expr]


_PASSPORT = DocumentKind(
    "passport", r"passport|pasaporte|passaporte|^pas?p?$", "^$", _shaped(r"^[0-9A-Z]{5,20}$")
)

KINDS: Final[dict[str, tuple[DocumentKind, ...]]] = {
    "AR": (
        DocumentKind("cuit", "cui[tl]|tax", r"^[0-9]{11}$", cuit.problem),
        DocumentKind("dni", "dni", r"^[0-9]{7,8}$", _shaped(r"^[0-9]{7,8}$")),
    ),
    "BR": (
        DocumentKind("cnpj", "cnpj", r"^[0-9A-Z]{12}[0-9]{2}$", cnpj.problem),
        DocumentKind("cpf", "cpf", r"", cpf.problem),
    ),
    "CL": (DocumentKind("rut", "ru[nt]", r"", rut.problem),),
    "CO": (
        DocumentKind("nit", "nit|tax", "^$", nit.problem),
        DocumentKind("ce", r"^c\.?e\.?$|extranjer|foreign", "^$", _shaped(r"^[0-9A-Z]{3,10}$")),
        DocumentKind("pep", "pep|ppt|permiso", r"^[0-9]{15}$", _shaped(r"^[0-9]{5,15}$")),
        DocumentKind("ti", r"^t\.?i\.?$|tarjeta", "^$", _shaped(r"^[0-9]{10,11}$")),
        DocumentKind("cc", r"^c\.?c\.?$|c[eé]dula|ciudadan", "^$", _citizen),
    ),
    "EC": (
        DocumentKind("ruc", "ruc|tax", r"^[0-9]{13}$", ec.ruc_problem),
        DocumentKind("cedula", r"c[eé]dula|^c\.?[ic]\.?$|dni", r"^[0-9]{10}$", ec.cedula_problem),
    ),
    "EG": (
        DocumentKind("national_id", "nat|^nid|^id", r"^[0-9]{14}$", _shaped(r"^[23][0-9]{13}$")),
    ),
    "MX": (
        DocumentKind("curp", "curp", r"^[0-9A-Z]{18}$", mexico.curp_problem),
        DocumentKind("rfc", "rfc|tax", r"", mexico.rfc_problem),
    ),
    "PE": (
        DocumentKind("ruc", "ruc|tax", r"^[0-9]{11}$", pe_ruc.problem),
        DocumentKind("dni", "dni", r"^[0-9]{8}$", _shaped(r"^[0-9]{8}$")),
        DocumentKind(
            "ce", r"^c\.?e\.?$|extranjer|foreign", r"^[0-9]{9}$", _shaped(r"^[0-9A-Z]{8,12}$")
        ),
    ),
    "TR": (
        DocumentKind("vkn", "vkn|vergi|tax", r"^[0-9]{10}$", tckn.tax_problem),
        DocumentKind("tckn", "tckn|tc|kimlik|national", r"^[0-9]{11}$", tckn.person_problem),
    ),
    "ZA": (DocumentKind("za_id", r"id|national", r"^[0-9]{13}$", za_id.problem),),
}
"""By country. An empty `shape` takes whatever the kinds before it leave; `^$` takes nothing."""


def normalised(document: pl.Expr, country: pl.Expr, stated: pl.Expr) -> pl.Expr:
    """Upper case, without blanks, dots, dashes and slashes; null stays null.

    `country` and `stated` are taken for the sake of one signature: a RUT loses its `CL` as well.
    """
    bare = text.upper(text.compact(document).str.replace_all("/", "", literal=True))
    is_rut = (country == "CL") & ~_is_passport(stated)
    return pl.when(is_rut).then(bare.str.strip_prefix("CL")).otherwise(bare)


def kind(document: pl.Expr, country: pl.Expr, stated: pl.Expr) -> pl.Expr:
    """The kind of a document: the file's word for it, else what its shape tells; null if neither."""
    return kind_of(normalised(document, country, stated), country, stated)


def kind_of(document: pl.Expr, country: pl.Expr, stated: pl.Expr) -> pl.Expr:
    """The same of a document that is normalised."""
    columns = {"document": document, "country": country, "word": stated}
    return by_value(columns, "country", _kind)


def problem(document: pl.Expr, country: pl.Expr, kind_: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised document, or null; null stays null.

    The rule of its kind. A document of no kind is `E_DOCUMENT_FORMAT`, except in Colombia, where
    the same digits may be a citizen's card or a NIT: `W_DOCUMENT_KIND`. Documents of countries
    that stand in no table here are not judged.

    Args:
        kind_: what `kind` found.

    Oracle: those of the kinds (tests/intake/identifiers/test_document.py).
    """
    columns = {"document": document, "country": country, "kind": kind_}
    return by_value(columns, "country", _code)


def _kind(country: str) -> pl.Expr:
    document, word = pl.col("document"), pl.col("word")
    if country not in KINDS:
        return pl.lit(None, dtype=pl.String)
    kinds = (*KINDS[country], _PASSPORT)
    named = by_word(word, lambda stated: _named(kinds, stated.str.to_lowercase()))
    shaped = [pl.when(document.str.contains(each.shape)).then(pl.lit(each.name)) for each in kinds]
    return pl.when(document.is_not_null()).then(pl.coalesce(named, *shaped))


def _named(kinds: tuple[DocumentKind, ...], word: pl.Expr) -> pl.Expr:
    """The first kind that a lower-case word names."""
    return pl.coalesce(
        pl.when(word.str.contains(each.words)).then(pl.lit(each.name)) for each in kinds
    )


def _code(country: str) -> pl.Expr:
    document, found = pl.col("document"), pl.col("kind")
    if country not in KINDS:
        return pl.lit(None, dtype=pl.String)
    judges = {each.name: each.problem for each in (*KINDS[country], _PASSPORT)}
    code = by_value(
        {"document": document, "kind": found},
        "kind",
        lambda name: (
            judges[name](pl.col("document")) if name in judges else pl.lit(None, pl.String)
        ),
    )
    is_open = document.str.contains(r"^[0-9]{3,10}$") & pl.lit(country == "CO")
    without_kind = (
        pl.when(is_open).then(pl.lit("W_DOCUMENT_KIND")).otherwise(pl.lit("E_DOCUMENT_FORMAT"))
    )
    is_lost = found.is_null() & document.is_not_null()
    return pl.coalesce(code, pl.when(is_lost).then(without_kind))


def _is_passport(stated: pl.Expr) -> pl.Expr:
    return by_word(stated, lambda word: _named((_PASSPORT,), word.str.to_lowercase())).is_not_null()
