"""Coverage: which row serves a combination, and what would be right instead."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from payouts.core.combination import Leone, Policy, read_combination
from payouts.core.countries import COUNTRIES, is_europe, near, read_country
from payouts.core.coverage import Coverage, CoverageRow
from payouts.core.latin import is_sepa, to_sepa
from payouts.core.methods import ALIASES, METHODS, PULLS, read_method

TODAY = date(2026, 11, 20)
SANDBOX = Policy("sandbox", TODAY)
LIVE = Policy("live", TODAY)


def row(country: str, currency: str, method: str, provider: str = "orkestra") -> CoverageRow:
    return CoverageRow(country, country, currency, method, "both", (provider,), "none")


TABLE = Coverage(
    (
        row("BR", "BRL", "pix"),
        row("BR", "BRL", "cards"),
        row("BJ", "XOF", "mobile_money"),
        row("CO", "COP", "bank_transfer"),
        row("CO", "COP", "nequi"),
        replace(row("CO", "COP", "pse"), direction="collection"),
        row("DE", "EUR", "sepa"),
        row("FR", "EUR", "sepa"),
        row("TR", "TRY", "eft", "orkesta"),
        row("TR", "TRY", "bank_transfer", "orkesta"),
        row("TR", "EUR", "bank_transfer", "orkesta"),
        row("TR", "TRY", "card", "orkesta"),
        replace(row("SL", "SLL", "bank_transfer"), warning="W_CURRENCY_SLL"),
        row("001", "USDT", "crypto_transfer"),
        replace(row("001", "USD", "payment_link", "orchestrate"), direction="collection"),
    )
)

Words = tuple[str | None, str | None, str | None]


def codes(words: Words, policy: Policy = SANDBOX) -> dict[str, str]:
    findings = read_combination(*words, TABLE, policy).findings
    return {finding.code: finding.allowed for finding in findings}


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("BR", "BRL", "pix"), ("BR", "BRL", "pix")),
        (("brazil", "BRL", "PIX"), ("BR", "BRL", "pix")),
        (("BRA", "BRL", "Pix Key"), ("BR", "BRL", "pix")),
        (("Benin", "XOF", "momo"), ("BJ", "XOF", "mobile_money")),
        (("DE", "EUR", "bank"), ("DE", "EUR", "sepa")),
        (("CO", "COP", "bank"), ("CO", "COP", "bank_transfer")),
        (("BR", "BRL", "card"), ("BR", "BRL", "cards")),
        (("Türkiye", "TRY", "cards"), ("TR", "TRY", "card")),
        (("World", "USDT", "crypto"), ("001", "USDT", "crypto_transfer")),
        ((None, "USDT", "crypto"), ("001", "USDT", "crypto_transfer")),
        (("1", "USDT", "crypto"), ("001", "USDT", "crypto_transfer")),
    ],
)
def test_words_find_their_row(words: Words, key: tuple[str, str, str]) -> None:
    made = read_combination(*words, TABLE, SANDBOX)

    assert made.row is TABLE.at(*key)
    assert made.payable
    assert made.findings == ()


WRONG: list[tuple[Words, dict[str, str]]] = [
    ((None, "BRL", "pix"), {"E_COUNTRY_MISSING": ""}),
    (("Brasil", "BRL", "pix"), {"E_COUNTRY_UNKNOWN": "Brazil (BR)"}),
    (("Europe", "EUR", "sepa"), {"E_COUNTRY_EUROPE": "DE, FR"}),
    (("EU", "EUR", "sepa"), {"E_COUNTRY_EUROPE": "DE, FR"}),
    (("BR", "USDT", "crypto"), {"E_COUNTRY_CRYPTO": "001"}),
    (("World", "BRL", "pix"), {"E_COUNTRY_WORLD": "USDT"}),
    (("US", "EUR", "bank"), {"E_COUNTRY_NOT_COVERED": "DE, FR, TR"}),
    (("BR", None, "pix"), {"E_CURRENCY_MISSING": "BRL"}),
    (("BR", "R$", "pix"), {"E_CURRENCY_UNKNOWN": "BRL"}),
    (("DE", "DEM", "sepa"), {"E_CURRENCY_WITHDRAWN": "EUR"}),
    (("DE", "bgn", "sepa"), {"E_CURRENCY_WITHDRAWN": "EUR"}),
    (("BR", "brl", "pix"), {"W_CURRENCY_CASE": "BRL"}),
    (("DE", "USD", "sepa"), {"E_CURRENCY_NOT_IN_COUNTRY": "EUR"}),
    (("BR", "BRL", None), {"E_METHOD_MISSING": "pix, cards"}),
    (("BR", "BRL", "pigeon"), {"E_METHOD_UNKNOWN": "pix, cards"}),
    (("CO", "COP", "PSE"), {"E_METHOD_COLLECTION_ONLY": "bank_transfer, nequi"}),
    (("CO", "COP", "direct debit"), {"E_METHOD_COLLECTION_ONLY": "bank_transfer, nequi"}),
    (("BJ", "XOF", "bank_transfer"), {"E_METHOD_NOT_IN_COUNTRY": "mobile_money"}),
    (("TR", "EUR", "eft"), {"E_METHOD_OTHER_CURRENCY": "TRY"}),
    (("SL", "SLL", "bank"), {"W_CURRENCY_SLL": ""}),
    (("SL", "SLE", "bank"), {"E_CURRENCY_SLE": "SLL"}),
    (
        ("US", "XYZ", "pigeon"),
        {
            "E_COUNTRY_NOT_COVERED": "001, BJ, BR, CO, DE, FR, SL, TR",
            "E_CURRENCY_UNKNOWN": "a code of ISO 4217",
            "E_METHOD_UNKNOWN": (
                "bank_transfer, card, cards, crypto_transfer, eft, mobile_money, nequi, pix, sepa"
            ),
        },
    ),
    (
        ("BR", "COP", "nequi"),
        {"E_CURRENCY_NOT_IN_COUNTRY": "BRL", "E_METHOD_NOT_IN_COUNTRY": "pix, cards"},
    ),
    (("001", "USD", "link"), {"E_COUNTRY_WORLD": "USDT", "E_METHOD_COLLECTION_ONLY": "none"}),
]


@pytest.mark.parametrize(("words", "expected"), WRONG, ids=lambda value: str(value)[:40])
def test_each_wrong_combination_has_its_code_and_lists_what_is_right(
    words: Words, expected: dict[str, str]
) -> None:
    assert codes(words) == expected


def test_a_combination_is_payable_exactly_when_nothing_rejects_it() -> None:
    for words, expected in WRONG:
        rejected = any(code.startswith("E_") for code in expected)

        assert read_combination(*words, TABLE, SANDBOX).payable is not rejected


def test_an_undocumented_rail_is_refused_in_live_until_it_is_confirmed() -> None:
    confirmed = replace(LIVE, allow_undocumented_rails=frozenset({"orkestra:mobile_money"}))

    assert codes(("BJ", "XOF", "momo"), LIVE) == {"E_RAIL_UNDOCUMENTED": "orkestra:mobile_money"}
    assert codes(("BJ", "XOF", "momo"), confirmed) == {}


@pytest.mark.parametrize("words", [("BR", "BRL", "pix"), ("TR", "TRY", "eft")])
def test_a_documented_rail_is_paid_in_live(words: Words) -> None:
    assert codes(words, LIVE) == {}


@pytest.mark.parametrize(
    ("currency", "leone", "expected"),
    [
        ("SLL", None, {"E_CURRENCY_SLL_UNCONFIRMED", "W_CURRENCY_SLL"}),
        ("SLL", "SLL", {"W_CURRENCY_SLL"}),
        ("SLL", "SLE", {"E_CURRENCY_SLL_MAPPED", "W_CURRENCY_SLL"}),
        ("SLE", None, {"E_CURRENCY_SLE"}),
        ("SLE", "SLL", {"E_CURRENCY_SLE"}),
        ("SLE", "SLE", set()),
    ],
)
def test_in_live_a_leone_is_paid_only_as_the_operator_confirmed(
    currency: str, leone: Leone | None, expected: set[str]
) -> None:
    """One of them is worth a thousand of the other."""
    rails = frozenset({"orkestra:bank_transfer"})

    found = codes(("SL", currency, "bank"), Policy("live", TODAY, leone, rails))

    assert set(found) == expected


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (None, None, {}),
        (TODAY, TODAY, {}),
        (date(2026, 11, 21), None, {"E_METHOD_NOT_YET": "2026-11-21"}),
        (None, date(2026, 11, 19), {"E_METHOD_ENDED": "2026-11-19"}),
    ],
)
def test_a_row_is_paid_only_while_it_is_in_force(
    first: date | None, last: date | None, expected: dict[str, str]
) -> None:
    dated = replace(row("BR", "BRL", "pix"), valid_from=first, valid_to=last)

    made = read_combination("BR", "BRL", "pix", Coverage((dated,)), SANDBOX)

    assert {finding.code: finding.allowed for finding in made.findings} == expected
    assert made.payable is dated.in_force(TODAY)


def test_a_users_row_for_the_new_leone_needs_no_confirmation() -> None:
    table = Coverage((*TABLE.rows, row("SL", "SLE", "bank_transfer", "orkesta")))

    assert read_combination("SL", "SLE", "bank", table, LIVE).payable


@pytest.mark.parametrize("code", sorted(COUNTRIES))
def test_a_country_is_read_from_its_code_and_its_name(code: str) -> None:
    assert read_country(code.lower()) == code
    assert read_country(COUNTRIES[code].upper()) == code


def test_no_two_countries_share_a_word() -> None:
    """A shared word would send the money of one to the other."""
    assert len({read_country(name) for name in COUNTRIES.values()}) == len(COUNTRIES)


@pytest.mark.parametrize("word", ["", "  ", "Europe", "EU", "B", "Brazil2", "XX", "EUR"])
def test_what_is_no_country_is_not_guessed(word: str) -> None:
    assert read_country(word) is None


def test_names_near_a_wrong_one_are_proposed() -> None:
    assert near("Kenia") == ("Kenya (KE)",)
    assert near("") == ()
    assert is_europe(" european-union ")


def test_every_alias_leads_to_a_method_that_pays_or_is_known_to_collect() -> None:
    reached = {method for methods in ALIASES.values() for method in methods}

    assert reached <= METHODS | PULLS


def test_a_methods_own_name_is_no_alias_of_another() -> None:
    """`card` and `cards` are one thing with two spellings; every other word means itself."""
    for method in METHODS - {"card", "cards"}:
        assert read_method(method.replace("_", " ").upper()) == (method,)


def test_rows_answer_what_a_provider_takes_and_where_money_goes() -> None:
    pix = replace(row("BR", "BRL", "pix"), decimals=(("orkestra", 2),))

    assert (pix.decimals_of("orkestra"), pix.decimals_of("orkesta")) == (2, None)
    assert (pix.provider, pix.pays, pix.documented) == ("orkestra", True, True)
    assert TABLE.of("BJ") == TABLE.payable("BJ")
    assert TABLE.countries("TRY") == ("TR",)
    assert TABLE.currencies("CO", "pse") == ()


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("José Ñandú", "Jose Nandu"),
        ("Straße", "Strasse"),
        ("Doğan Işık", "Dogan Isik"),  # noqa: RUF001  the dotless i is the case
        ("Łukasz Wójcik", "Lukasz Wojcik"),
        ("Ελένη Χριστοδούλου", "Eleni Christodoyloy"),
        ("Щерев", "Shterev"),
        ("A_B", "A-B"),
        ("李", "."),
        ("O’Neill", "O'Neill"),  # noqa: RUF001  a curly apostrophe is the case
    ],
)
def test_names_are_spelled_in_the_characters_of_sepa(text: str, sent: str) -> None:
    assert to_sepa(text) == sent
    assert is_sepa(sent)
