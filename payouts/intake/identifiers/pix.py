"""PIX key: one of five kinds of address that the Brazilian central bank's directory resolves.

>>> accounts = ["123.456.789-09", "(11) 91234-5684", "Ana@Example.com", "11912345684"]
>>> frame = pl.DataFrame({"account": accounts, "account_kind": [None, None, None, None]})
>>> stated = pl.col("account_kind").cast(pl.String)
>>> key = normalised(pl.col("account"), stated)
>>> frame.select(key).to_series().to_list()
['12345678909', '+5511912345684', 'ana@example.com', '11912345684']
>>> frame.select(kind(key)).to_series().to_list()
['pix_cpf', 'pix_phone', 'pix_email', 'pix_cpf']
>>> frame.select(problem(key, stated, pl.col("account"))).to_series().to_list()
[None, None, None, 'E_PIX_KEY_AMBIGUOUS']
"""

from __future__ import annotations

from typing import Final

import polars as pl

from payouts.intake.identifiers import cnpj, cpf, msisdn, text

__all__ = ["KEY_MAX", "kind", "normalised", "problem"]

KEY_MAX: Final = 77

_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_UUID_WRITTEN = r"^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$"
_CPF_WRITTEN = r"^[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-[0-9]{2}$|^[0-9]{3}\.[0-9]{3}\.[0-9]{3}[0-9]{2}$"
_PHONE_WRITTEN = r"^\+|^0{0,2}55[1-9][0-9]9[0-9]{8}$|^\(|^0?[1-9][0-9]9[0-9]{4}-[0-9]{4}$"
_CNPJ_WRITTEN = r"^[0-9A-Z]{12}[0-9]{2}$"
_MOBILE = r"^\+55[1-9][0-9]9[0-9]{8}$"
_BARE = r"^[0-9]{11}$"
# The characters that BCB's directory allows; a label may not begin or end with a dash or a dot.
_EMAIL = (
    r"^[a-z0-9.!#$&'*+/=?^_`{|}~-]+"
    r"@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+$"
)
_BRAZIL = pl.lit("BR")

_STATED: Final[dict[str, str]] = {
    "pix_cnpj": "cnpj",
    "pix_cpf": "cpf",
    "pix_phone": "phone|telefone|celular|mobile|msisdn|^tel",
    "pix_email": "mail",
    "pix_evp": "evp|random|aleat|uuid",
}
"""How the kind column names a kind, as regular expressions over lower-case text."""


def normalised(account: pl.Expr, stated: pl.Expr) -> pl.Expr:
    """The key as the directory (DICT) has it; null stays null.

    CPF 11 digits, CNPJ 14 characters, phone `+55…`, e-mail and EVP in lower case. Punctuation that
    belongs to one kind only (`123.456.789-09`, `(11) 9…`) decides, then the stated kind; eleven
    bare digits are a phone only where they are no CPF.
    """
    tidy = text.without(account, "")
    bare = text.upper(text.compact(tidy).str.replace_all(r"[/()]", ""))
    phone = "+" + msisdn.normalised(bare, _BRAZIL).str.strip_prefix("+")
    named = _named(stated)
    is_mobile = _is_mobile(bare)
    return (
        pl.when(tidy.str.contains("@", literal=True))
        .then(text.lower(tidy))
        .when(tidy.str.contains(_UUID_WRITTEN))
        .then(_dashed(tidy))
        .when(tidy.str.contains(_CPF_WRITTEN))
        .then(bare)
        .when(tidy.str.contains(_PHONE_WRITTEN) | (named == "pix_phone").fill_null(value=False))
        .then(phone)
        .when(bare.str.contains(_BARE) & named.is_null() & is_mobile & ~cpf.is_valid(bare))
        .then("+55" + bare)
        .otherwise(bare)
    )


def kind(key: pl.Expr) -> pl.Expr:
    """`pix_cpf`, `pix_cnpj`, `pix_phone`, `pix_email` or `pix_evp` by shape; null for no shape."""
    return (
        pl.when(key.str.contains("@", literal=True))
        .then(pl.lit("pix_email"))
        .when(key.str.starts_with("+"))
        .then(pl.lit("pix_phone"))
        .when(key.str.contains(_BARE))
        .then(pl.lit("pix_cpf"))
        .when(key.str.contains(_CNPJ_WRITTEN))
        .then(pl.lit("pix_cnpj"))
        .when(key.str.contains(_UUID))
        .then(pl.lit("pix_evp"))
    )


def problem(key: pl.Expr, stated: pl.Expr, written: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised key, or null; null stays null.

    Kinds and forms of BCB's DICT; CPF and CNPJ by their check digits, a phone must be a Brazilian
    mobile with its ninth digit. Eleven bare digits that are both a CPF and a mobile number are
    held (`E_PIX_KEY_AMBIGUOUS`) unless the kind is stated: the wrong reading pays a stranger.

    Args:
        stated: the file's word for the kind, or null.
        written: the key as the file has it.

    Oracle: `stdnum.br`, `phonenumbers` and `uuid` (tests/intake/identifiers/test_pix.py).
    """
    found, named = kind(key), _named(stated)
    is_open = named.is_null() & text.without(written, "").str.contains(_BARE)
    return (
        pl.when((found != named).fill_null(value=False))
        .then(pl.lit("E_PIX_KEY_KIND"))
        .when(found == "pix_cpf")
        .then(
            pl.when(is_open & _is_mobile(key) & cpf.is_valid(key))
            .then(pl.lit("E_PIX_KEY_AMBIGUOUS"))
            .otherwise(cpf.problem(key))
        )
        .when(found == "pix_cnpj")
        .then(cnpj.problem(key))
        .when(found == "pix_phone")
        .then(
            pl.when(~(key.str.contains(_MOBILE) & _is_mobile(key.str.slice(3)))).then(
                pl.lit("E_PIX_PHONE")
            )
        )
        .when(found == "pix_email")
        .then(
            pl.when(~key.str.contains(_EMAIL) | (key.str.len_bytes() > KEY_MAX)).then(
                pl.lit("E_PIX_EMAIL")
            )
        )
        .when(found.is_null() & key.is_not_null())
        .then(pl.lit("E_PIX_KEY_FORMAT"))
    )


def _is_mobile(national: pl.Expr) -> pl.Expr:
    """True for a national Brazilian mobile number: area code, 9, eight digits."""
    return national.str.contains(r"^[1-9][0-9]9[0-9]{8}$") & (
        msisdn.problem("55" + national, _BRAZIL).is_null()
    )


def _named(stated: pl.Expr) -> pl.Expr:
    """The kind that the file's word means, or null."""
    word = stated.str.to_lowercase()
    named = pl.lit(None, dtype=pl.String)
    for name, pattern in reversed(_STATED.items()):
        named = pl.when(word.str.contains(pattern)).then(pl.lit(name)).otherwise(named)
    return named


def _dashed(written: pl.Expr) -> pl.Expr:
    """A UUID in lower case with its four dashes."""
    bare = text.lower(written).str.replace_all("-", "", literal=True)
    parts = [bare.str.slice(start, size) for start, size in _UUID_PARTS]
    return pl.concat_str(parts, separator="-")


_UUID_PARTS = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))
