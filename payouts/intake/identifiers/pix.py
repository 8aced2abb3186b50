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
from payouts.intake.identifiers.staged import by_word, staged

__all__ = ["KEY_MAX", "kind", "normalised", "problem"]

KEY_MAX: Final = 77

_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_UUID_WRITTEN = r"^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$"
_CPF_WRITTEN = r"^[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-[0-9]{2}$|^[0-9]{3}\.[0-9]{3}\.[0-9]{3}[0-9]{2}$"
_PHONE_WRITTEN = r"^\+|^0{0,2}55[1-9][0-9]9[0-9]{8}$|^\(|^0?[1-9][0-9]9[0-9]{4}-[0-9]{4}$"
_CNPJ_WRITTEN = r"^[0-9A-Z]{12}[0-9]{2}$"
_MOBILE = r"^\+55[1-9][0-9]9[0-9]{8}$"
_BARE = r"^[0-9]{11}$"
_BARE_MOBILE = r"^[1-9][0-9]9[0-9]{8}$"
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
    tidy, bare, named = pl.col("tidy"), pl.col("bare"), pl.col("named")
    is_phone = tidy.str.contains(_PHONE_WRITTEN) | (named == "pix_phone").fill_null(value=False)
    is_open = bare.str.contains(_BARE_MOBILE) & named.is_null()
    open_, phone = pl.when(is_open).then(bare), pl.when(is_phone).then(bare)
    return staged(
        {"account": account, "stated": stated},
        {"tidy": text.without(pl.col("account"), ""), "named": _named(pl.col("stated"))},
        {"bare": text.upper(text.compact(tidy).str.replace_all(r"[/()]", ""))},
        {
            "phone": "+" + msisdn.normalised(phone, _BRAZIL).str.strip_prefix("+"),
            "only_mobile": _is_mobile(open_) & ~cpf.is_valid(open_),
            "uuid": _dashed(pl.when(tidy.str.contains(_UUID_WRITTEN)).then(tidy)),
        },
        {
            "answer": pl.when(tidy.str.contains("@", literal=True))
            .then(text.lower(tidy))
            .when(pl.col("uuid").is_not_null())
            .then(pl.col("uuid"))
            .when(tidy.str.contains(_CPF_WRITTEN))
            .then(bare)
            .when(pl.col("phone").is_not_null())
            .then(pl.col("phone"))
            .when(pl.col("only_mobile"))
            .then("+55" + bare)
            .otherwise(bare)
        },
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


def problem(account: pl.Expr, stated: pl.Expr, written: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised key, or null; null stays null.

    Kinds and forms of BCB's DICT; CPF and CNPJ by their check digits, a phone must be a Brazilian
    mobile with its ninth digit. Eleven bare digits that are both a CPF and a mobile number are
    held (`E_PIX_KEY_AMBIGUOUS`) unless the kind is stated: the wrong reading pays a stranger.

    Args:
        stated: the file's word for the kind, or null.
        written: the key as the file has it.

    Oracle: `stdnum.br`, `phonenumbers` and `uuid` (tests/intake/identifiers/test_pix.py).
    """
    key, found, named = pl.col("key"), pl.col("found"), pl.col("named")
    national = key.str.strip_prefix("+55")
    is_open = named.is_null() & text.without(pl.col("written"), "").str.contains(_BARE)
    documents = {
        "cpf": pl.when(found == "pix_cpf").then(key),
        "cnpj": pl.when(found == "pix_cnpj").then(key),
        "mobile": _is_mobile(pl.when(found.is_in(["pix_phone", "pix_cpf"])).then(national)),
    }
    judged_by_kind = (
        pl.when((found != named).fill_null(value=False))
        .then(pl.lit("E_PIX_KEY_KIND"))
        .when((found == "pix_cpf") & is_open & pl.col("mobile") & pl.col("cpf").is_null())
        .then(pl.lit("E_PIX_KEY_AMBIGUOUS"))
        .when(found.is_in(["pix_cpf", "pix_cnpj"]))
        .then(pl.coalesce("cpf", "cnpj"))
        .when((found == "pix_phone") & ~(key.str.contains(_MOBILE) & pl.col("mobile")))
        .then(pl.lit("E_PIX_PHONE"))
        .when((found == "pix_email") & ~_is_email(key))
        .then(pl.lit("E_PIX_EMAIL"))
        .when(found.is_null() & key.is_not_null())
        .then(pl.lit("E_PIX_KEY_FORMAT"))
    )
    return staged(
        {"key": account, "stated": stated, "written": written},
        {"found": kind(key), "named": _named(pl.col("stated"))},
        documents,
        {"cpf": cpf.problem(pl.col("cpf")), "cnpj": cnpj.problem(pl.col("cnpj"))},
        {"answer": judged_by_kind},
    )


def _is_email(key: pl.Expr) -> pl.Expr:
    return key.str.contains(_EMAIL) & (key.str.len_bytes() <= KEY_MAX)


def _is_mobile(national: pl.Expr) -> pl.Expr:
    """True for a national Brazilian mobile number: area code, 9, eight digits."""
    return national.str.contains(_BARE_MOBILE) & national.str.contains(msisdn.shape("BR"))


def _named(stated: pl.Expr) -> pl.Expr:
    """The kind that the file's word means, or null."""
    return by_word(stated, _meant)


def _meant(stated: pl.Expr) -> pl.Expr:
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
