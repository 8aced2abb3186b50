"""Problem kinds of one line: where and how to pay, amount, reference, name, date.

Grouped as the checks run. `{value}` is what the file says (masked where it identifies an account
or a person), `{allowed}` what would be right instead.
"""

from __future__ import annotations

from payouts.core.problems.kind import ProblemKind

__all__ = ["LINES"]

_COVERAGE = "payouts/data/coverage.csv"
_ISO_4217 = "ISO 4217 list one, 2026-01-01"
_EPC = "EPC SEPA Credit Transfer implementation guidelines"

_COUNTRY = (
    ProblemKind(
        "E_COUNTRY_MISSING",
        "the country is blank",
        "Write the two letters of the country that the money goes to, for example BR.",
        source="ISO 3166-1",
    ),
    ProblemKind(
        "E_COUNTRY_UNKNOWN",
        "'{value}' is no country; near it: {allowed}",
        "Write the two letters of ISO 3166-1, for example BR, or the country's English name.",
        source="ISO 3166-1",
    ),
    ProblemKind(
        "E_COUNTRY_EUROPE",
        "'{value}' is no country: a SEPA payment names the country of the account: {allowed}",
        "Write the country of the IBAN, for example DE for an IBAN that begins with DE.",
        source="Orkestra, Service coverage; EPC SEPA scope",
    ),
    ProblemKind(
        "E_COUNTRY_WORLD",
        "the country '{value}' (the world) is for {allowed} only",
        "Write the country that the money goes to; 001 serves stablecoins on a network.",
        source=_COVERAGE,
    ),
    ProblemKind(
        "E_COUNTRY_CRYPTO",
        "a stablecoin goes to a network and not to '{value}': the country is {allowed}",
        "Write 001 as the country and the network, for example tron, in its own column.",
        source=_COVERAGE,
    ),
    ProblemKind(
        "E_COUNTRY_NOT_COVERED",
        "nobody can be paid in '{value}'; these countries can: {allowed}",
        "Take the line out, or add a coverage row if your provider serves the country.",
        source=_COVERAGE,
    ),
)

_CURRENCY = (
    ProblemKind(
        "E_CURRENCY_MISSING",
        "the currency is blank; here it may be {allowed}",
        "Write the three letters of the currency, for example BRL.",
        source=_ISO_4217,
    ),
    ProblemKind(
        "E_CURRENCY_UNKNOWN",
        "'{value}' is no currency; here it may be {allowed}",
        "Write the three letters of ISO 4217 and no symbol, for example USD for $.",
        source=_ISO_4217,
    ),
    ProblemKind(
        "E_CURRENCY_WITHDRAWN",
        "'{value}' was withdrawn; its successor is {allowed}",
        "State the amount in the successor; nothing is converted for you.",
        source="ISO 4217 list three",
    ),
    ProblemKind(
        "E_CURRENCY_SLE",
        "'SLE' is not what the platform lists for Sierra Leone: it lists {allowed}",
        "1 SLE is 1,000 SLL. Ask the platform which leone it means, set `leone` in the settings, "
        "and state the amount in that one; nothing is converted for you.",
        source="Orkestra, Service coverage; ISO 4217 amendment 175",
    ),
    ProblemKind(
        "E_CURRENCY_SLL_UNCONFIRMED",
        "SLL was withdrawn in 2024 and nobody has confirmed that the platform means it",
        'Ask the platform which leone it means and set `leone = "SLL"` or "SLE" in the settings.',
        source="Orkestra, Service coverage; ISO 4217 amendment 175",
    ),
    ProblemKind(
        "E_CURRENCY_SLL_MAPPED",
        "the settings say that the platform's leone is {allowed}, the line says SLL",
        "Divide the amount by 1,000 yourself and write SLE: 1 SLE is 1,000 SLL.",
        source="Orkestra, Service coverage; ISO 4217 amendment 175",
    ),
    ProblemKind(
        "E_CURRENCY_NOT_IN_COUNTRY",
        "'{value}' cannot be paid in this country; these can: {allowed}",
        "State the amount in a currency of the list; nothing is converted for you.",
        source=_COVERAGE,
    ),
    ProblemKind(
        "W_CURRENCY_CASE",
        "'{value}' was read as {allowed}",
        "Write currencies in capitals.",
        source=_ISO_4217,
    ),
    ProblemKind(
        "W_CURRENCY_SLL",
        "SLL was withdrawn in 2024; the amount is sent as it stands",
        "1 SLE is 1,000 SLL: make sure that the amount is in old leones.",
        source="Orkestra, Service coverage; ISO 4217 amendment 175",
    ),
)

_METHOD = (
    ProblemKind(
        "E_METHOD_MISSING",
        "the method is blank; here it may be {allowed}",
        "Write the method, for example bank_transfer.",
        source=_COVERAGE,
    ),
    ProblemKind(
        "E_METHOD_UNKNOWN",
        "'{value}' is no method; here it may be {allowed}",
        "Write a method of the list; `payouts coverage` shows all.",
        source=_COVERAGE,
    ),
    ProblemKind(
        "E_METHOD_COLLECTION_ONLY",
        "'{value}' takes money in and cannot pay out; here these can: {allowed}",
        "PSE, payment links and direct debits collect. Use bank_transfer or a wallet instead.",
        source=_COVERAGE,
    ),
    ProblemKind(
        "E_METHOD_OTHER_CURRENCY",
        "'{value}' pays only {allowed} in this country",
        "Choose another method for this currency, or state the amount in that one.",
        source=_COVERAGE,
    ),
    ProblemKind(
        "E_METHOD_NOT_IN_COUNTRY",
        "nobody can be paid by '{value}' in this country; here it may be {allowed}",
        "Choose a method of the list, with the account that it needs.",
        source=_COVERAGE,
    ),
    ProblemKind(
        "E_METHOD_NOT_YET",
        "'{value}' cannot be used here yet, only from {allowed}",
        "Give the line a due date from that day on, or choose another method.",
        source=_COVERAGE,
    ),
    ProblemKind(
        "E_METHOD_ENDED",
        "'{value}' cannot be used here since {allowed}",
        "Choose another method, or correct the coverage row.",
        source=_COVERAGE,
    ),
    ProblemKind(
        "E_RAIL_UNDOCUMENTED",
        "the provider has not published the fields of '{value}', so no real money is sent over it",
        "Get the fields confirmed, then add {allowed} to `allow_undocumented_rails`.",
        source="A-ORK-5",
    ),
    ProblemKind(
        "W_METHOD_VIRTUAL_ACCOUNT",
        "a virtual account receives money; paying to one is unusual",
        "Check that the payee expects it; bank_transfer or eft is the usual way.",
        source="Orkesta, Payment methods",
    ),
    ProblemKind(
        "W_METHOD_CARD",
        "paying to a card needs a card token that the provider knows",
        "Check the first answer of the provider; bank_transfer or eft is the usual way.",
        source="Orkesta, Payment methods",
    ),
)

_AMOUNT = (
    ProblemKind(
        "E_AMOUNT_MISSING",
        "the amount is blank",
        "Write the amount with digits and a point, for example 1250.00.",
    ),
    ProblemKind(
        "E_AMOUNT_FORMAT",
        "'{value}' is not an amount: digits, then at most one decimal point",
        "Write the amount with digits and a point, for example 1250.00.",
    ),
    ProblemKind(
        "E_AMOUNT_NEGATIVE",
        "'{value}' is negative: a payout only gives",
        "Take the line out; what a payee gives back is a refund and no negative payout.",
    ),
    ProblemKind(
        "E_AMOUNT_ZERO",
        "the amount is zero",
        "Write what is owed, or take the line out.",
    ),
    ProblemKind(
        "E_AMOUNT_PRECISION",
        "'{value}' has more decimals than its currency has: {allowed}",
        "Write the amount that is meant: nothing is rounded, and 1.234 may be a thousand.",
        source=_ISO_4217,
    ),
    ProblemKind(
        "E_AMOUNT_PROVIDER_DECIMALS",
        "'{value}' has more decimals than the provider takes: {allowed}",
        "Write the amount that is meant: nothing is rounded for you.",
        source=_COVERAGE,
    ),
    ProblemKind(
        "E_AMOUNT_RANGE",
        "'{value}' is larger than any payout: at most {allowed}",
        "Check the amount; an account number may stand in its column.",
    ),
    ProblemKind(
        "E_AMOUNT_BELOW_MINIMUM",
        "'{value}' is below the least amount of this method: {allowed}",
        "Pay more at once, or choose another method.",
        source=_COVERAGE,
    ),
    ProblemKind(
        "E_AMOUNT_ABOVE_MAXIMUM",
        "'{value}' is above the greatest amount of this method: {allowed}",
        "Split the payment into several lines with their own references, or choose another method.",
        source=_COVERAGE,
    ),
    ProblemKind(
        "E_AMOUNT_SUM_BELOW_MINIMUM",
        "the payee's lines add up to '{value}', below the least amount of this method: {allowed}",
        "Keep these lines until there are more for this payee, or choose another method.",
        source=_COVERAGE,
    ),
    ProblemKind(
        "E_AMOUNT_SUM_ABOVE_MAXIMUM",
        "the payee's lines add up to '{value}', above the greatest amount of a payout: {allowed}",
        "Drop some of these lines in a file of their own, or choose another method.",
        source=_COVERAGE,
    ),
)

_FIELDS = (
    ProblemKind(
        "E_REQUIRED_MISSING",
        "the column is blank, and this method needs {allowed}",
        "Fill in the column; `payouts template` gives a file with all that is needed.",
        source=_COVERAGE,
    ),
    ProblemKind(
        "E_FIELD_CONTROL",
        "the text holds control characters: '{value}'",
        "Type the value again without line breaks, tabs and invisible characters.",
    ),
    ProblemKind(
        "E_FIELD_LENGTH",
        "the text is too long: {allowed}",
        "Shorten it; a value from a neighbouring column may have slipped in.",
    ),
    ProblemKind(
        "E_REFERENCE_MISSING",
        "the reference is blank, though the file has the column",
        "Give every line a reference of its own: it is what keeps a payee from being paid twice.",
    ),
    ProblemKind(
        "E_REFERENCE_LENGTH",
        "the reference is too long: {allowed}",
        "Use a shorter id of the payment and put longer text into the description.",
    ),
    ProblemKind(
        "E_REFERENCE_CHARACTERS",
        "the reference holds characters that cannot be told apart on a screen: '{value}'",
        "Use letters, digits, blanks and punctuation.",
    ),
    ProblemKind(
        "E_REFERENCE_EXAMPLE",
        "'{value}' is the reference of a template's example line, and this is live",
        "Take the example lines out; `payouts template` shows them so that you see the form.",
    ),
    ProblemKind(
        "E_NAME_CONTROL",
        "the name holds control characters: '{value}'",
        "Type the name again without line breaks, tabs and invisible characters.",
    ),
    ProblemKind(
        "E_NAME_LENGTH",
        "the name is too long: {allowed}",
        "Use the name as the payee's bank knows it.",
        source=_EPC,
    ),
    ProblemKind(
        "E_NAME_LETTERS",
        "'{value}' is no name: it holds no letter",
        "Write the payee's full name; a column may have slipped.",
    ),
    ProblemKind(
        "E_NAME_SCRIPT",
        "'{value}' cannot be written with the characters that SEPA allows",
        "Write the name in Latin letters, as the payee's bank does.",
        source=_EPC,
    ),
    ProblemKind(
        "W_NAME_BIDI",
        "the name holds invisible characters that change the order of letters: '{value}'",
        "Type the name again; such characters can make it look like another one.",
    ),
    ProblemKind(
        "W_NAME_MARKUP",
        "'{value}' looks like markup or a formula; it is kept and shown as plain text",
        "Check the name.",
    ),
    ProblemKind(
        "W_NAME_INITIALS",
        "'{value}' has initials: this method compares the name with the payee's document",
        "Write the full name as it stands on the document.",
    ),
    ProblemKind(
        "W_NAME_TRANSLITERATED",
        "'{value}' is sent as '{allowed}': SEPA knows fewer characters",
        "Nothing to do if the payee's bank writes it like that.",
        source=_EPC,
    ),
    ProblemKind(
        "E_DESCRIPTION_LENGTH",
        "the description is too long: {allowed}",
        "Shorten it; bank statements show no more.",
        source=_EPC,
    ),
    ProblemKind(
        "E_DESCRIPTION_CONTROL",
        "the description holds control characters: '{value}'",
        "Write it on one line, without tabs and invisible characters.",
    ),
    ProblemKind(
        "E_DESCRIPTION_SCRIPT",
        "'{value}' cannot be written with the characters that SEPA allows",
        "Write the description in Latin letters or leave it blank.",
        source=_EPC,
    ),
    ProblemKind(
        "W_DESCRIPTION_TRANSLITERATED",
        "'{value}' is sent as '{allowed}': SEPA knows fewer characters",
        "Nothing to do if the payee understands it.",
        source=_EPC,
    ),
    ProblemKind(
        "E_DUE_DATE_FORMAT",
        "'{value}' is no date of the form 2026-12-31",
        "Write year, month and day with dashes; 03/04/2026 has two meanings.",
        source="ISO 8601",
    ),
    ProblemKind(
        "E_DUE_DATE_PAST",
        "the due date {value} is past",
        "Give today or a later day, or leave the column blank to pay at once.",
    ),
    ProblemKind(
        "E_DUE_DATE_FAR",
        "the due date {value} is more than a year ahead; the last one is {allowed}",
        "Check the year, or drop the line again when it is due.",
    ),
    ProblemKind(
        "E_EMAIL_FORMAT",
        "'{value}' is no e-mail address",
        "Correct the address or leave the column blank.",
        source="RFC 5321",
    ),
    ProblemKind(
        "E_PHONE_FORMAT",
        "'{value}' is no telephone number",
        "Write the number with its country code, for example +57 300 123 4567.",
        source="ITU-T E.164",
    ),
    ProblemKind(
        "E_ACCOUNT_OWN",
        "the account '{value}' is your own funding account",
        "Write the payee's account; columns may have been swapped.",
    ),
)

LINES: tuple[ProblemKind, ...] = (*_COUNTRY, *_CURRENCY, *_METHOD, *_AMOUNT, *_FIELDS)
