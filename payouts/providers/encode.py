"""Encoding a batch straight from its frame: JSON text by expressions, one body per item.

Amounts are written from integers, digit by digit, so no float ever stands between a file and the
wire (P16).
"""

from __future__ import annotations

import polars as pl

__all__ = ["json_object", "json_text", "major_units", "payee_note"]

NOTE_MAX = 140
"""Characters of a payment's description: `Ustrd` of ISO 20022, the shortest of our rails."""


def payee_note() -> pl.Expr:
    """What the payee reads: the payer's reference, then the description (A-OKS-12)."""
    note = pl.concat_str("reference", "description", separator=" ", ignore_nulls=True)
    return pl.when(note != "").then(note.str.head(NOTE_MAX))


def json_text(value: pl.Expr) -> pl.Expr:
    """The JSON string of a text column, quoted and escaped; null stays null."""
    wrapped = pl.struct(value.alias("v")).struct.json_encode()
    return pl.when(value.is_not_null()).then(wrapped.str.slice(5).str.head(-1))


def json_object(members: dict[str, pl.Expr]) -> pl.Expr:
    """An object of already encoded members, in order; members whose value is null are left out."""
    parts = [
        pl.when(value.is_not_null())
        .then(pl.concat_str(pl.lit(f',"{name}":'), value))
        .otherwise(pl.lit(""))
        for name, value in members.items()
    ]
    return pl.concat_str(pl.lit("{"), pl.concat_str(parts).str.slice(1), pl.lit("}"))


def major_units(minor: pl.Expr, exponent: pl.Expr) -> pl.Expr:
    """Major units as decimal text: 1250 with exponent 2 is `12.50`, with exponent 0 `1250`."""
    digits = minor.cast(pl.String).str.zfill(exponent + 1)
    whole = digits.str.head(digits.str.len_bytes().cast(pl.Int64) - exponent)
    fraction = pl.when(exponent > 0).then(pl.concat_str(pl.lit("."), digits.str.tail(exponent)))
    return pl.concat_str(whole, fraction.fill_null(""))
