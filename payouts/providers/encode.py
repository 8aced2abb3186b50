"""Encoding a batch straight from its frame: JSON text by expressions, one body per item.

Amounts are written from integers, digit by digit, so no float ever stands between a file and the
wire (P16).
"""

from __future__ import annotations

import polars as pl

__all__ = ["json_object", "json_text", "major_units", "payee_note"]

_ESCAPED = r'["\\\x00-\x1F]'  # RFC 8259 §7
NOTE_MAX = 140
"""Characters of a payment's description: `Ustrd` of ISO 20022, the shortest of our rails."""


def payee_note() -> pl.Expr:
    """What the payee reads: the payer's reference, then the description (A-OKS-12)."""
    note = pl.concat_str("reference", "description", separator=" ", ignore_nulls=True)
    return pl.when(note != "").then(note.str.head(NOTE_MAX))


def json_text(value: pl.Expr) -> pl.Expr:
    """The JSON string of a text column, quoted and escaped; null stays null."""
    return value.cast(pl.String).map_batches(_text, return_dtype=pl.String, is_elementwise=True)


def _text(values: pl.Series) -> pl.Series:
    """Quote what needs no escape, which is nearly everything, and have the rest encoded."""
    frame = values.alias("v").to_frame()
    if values.str.contains(_ESCAPED).any():
        wrapped = pl.struct("v").struct.json_encode().str.slice(5).str.head(-1)
        text: pl.Expr = pl.when(pl.col("v").is_not_null()).then(wrapped)
    else:
        text = pl.concat_str(pl.lit('"'), "v", pl.lit('"'))
    return frame.select(text).to_series()


def json_object(members: dict[str, pl.Expr]) -> pl.Expr:
    """An object of already encoded members, in order; members whose value is null are left out."""
    packed = pl.struct(value.alias(name) for name, value in members.items())
    return packed.map_batches(_object, return_dtype=pl.String, is_elementwise=True)


def _object(values: pl.Series) -> pl.Series:
    """Join the members at once; only those that are missing in some rows are asked row by row."""
    frame = values.struct.unnest()
    parts: list[pl.Expr] = []
    for name in frame.columns:
        nulls = frame[name].null_count()
        if nulls == frame.height:
            continue
        member = [pl.lit(f',"{name}":'), pl.col(name)]
        if nulls:
            told = pl.when(pl.col(name).is_not_null()).then(pl.concat_str(member))
            member = [told.otherwise(pl.lit(""))]
        parts += member
    first = frame.columns[0]
    if not parts:
        whole = pl.lit("{}")
    elif not frame[first].null_count():
        whole = pl.concat_str([pl.lit(f'{{"{first}":'), *parts[1:], pl.lit("}")])
    else:
        inner = pl.concat_str(parts).str.slice(1)
        whole = pl.concat_str(pl.lit("{"), inner, pl.lit("}"))
    return frame.with_columns(whole.alias("object")).get_column("object")


def major_units(minor: pl.Expr, exponent: pl.Expr) -> pl.Expr:
    """Major units as decimal text: 1250 with exponent 2 is `12.50`, with exponent 0 `1250`."""
    digits = minor.cast(pl.String).str.zfill(exponent + 1)
    whole = digits.str.head(digits.str.len_bytes().cast(pl.Int64) - exponent)
    fraction = pl.when(exponent > 0).then(pl.concat_str(pl.lit("."), digits.str.tail(exponent)))
    return pl.concat_str(whole, fraction.fill_null(""))
