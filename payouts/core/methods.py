"""Methods: the rails of the coverage table, and the words people write for them.

>>> read_method("PIX"), read_method("Mobile Money"), read_method("momo")
(('pix',), ('mobile_money',), ('mobile_money',))
>>> read_method("card")
('card', 'cards')
"""

from __future__ import annotations

import re
import unicodedata
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ALIASES", "METHODS", "PULLS", "read_method"]

METHODS: Final = frozenset(
    {
        "bank_transfer",
        "card",
        "cards",
        "cash",
        "crypto_transfer",
        "daviplata",
        "eft",
        "mobile_money",
        "nequi",
        "pix",
        "sepa",
        "spei",
        "virtual_account",
    }
)
"""Methods that pay out in some country of our own table."""

PULLS: Final = frozenset({"boleto", "direct_debit", "payment_link", "pse"})
"""Methods that take money in, wherever they exist and whether the table holds them or not."""

_WORDS: Final[Mapping[tuple[str, ...], str]] = {
    ("bank_transfer", "sepa"): "bank bank_account bank_payment transfer transferencia iban",
    ("bank_transfer",): (
        "banktransfer bank_wire wire wire_transfer wiretransfer local_bank_transfer swift havale "
        "ted pesalink nip ghipss nibss gis local_bank"
    ),
    ("mobile_money",): (
        "mobile momo mobilemoney mobile_wallet mobile_money_transfer mm m_pesa mpesa mtn_momo "
        "orange_money airtel_money moov_money wave telebirr msisdn"
    ),
    ("pix",): "pix_key chave_pix pix_transfer",
    ("spei",): "clabe spei_transfer",
    ("sepa",): (
        "sepa_credit_transfer sepa_transfer sepa_ct sct sct_inst sepa_instant sepa_bank_transfer "
        "sepa_credit"
    ),
    ("cash",): "cash_pickup cash_pick_up cash_payout cash_out efectivo dinheiro pickup",
    ("cards", "card"): "credit_card debit_card creditcard debitcard tarjeta cartao push_to_card",
    ("crypto_transfer",): "crypto stablecoin stablecoins usdt usdc blockchain onchain on_chain",
    ("virtual_account",): "va virtualaccount",
    ("payment_link",): "link paymentlink",
}

ALIASES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {alias: methods for methods, aliases in _WORDS.items() for alias in aliases.split()}
    # The platforms differ by one letter: Orkesta says card, Orkestra cards.
    | {"card": ("card", "cards"), "cards": ("cards", "card")}
)
"""Word → the methods it may stand for; the first that the country offers is meant."""

_NOT_LETTERS = re.compile(r"[^a-z0-9]+")


def read_method(word: str) -> tuple[str, ...]:
    """The methods a word may stand for, best first; a word we do not know stands for itself.

    Case, blanks, dashes and accents do not matter.
    """
    plain = unicodedata.normalize("NFKD", word[:80]).encode("ascii", "ignore").decode().lower()
    method = _NOT_LETTERS.sub("_", plain).strip("_")
    return ALIASES.get(method, (method,))
