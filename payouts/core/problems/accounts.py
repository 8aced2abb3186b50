"""Problem kinds of account identifiers: what is wrong with an account, a document, a bank code.

`{value}` is always masked (`…1234`): an account number is never written in full.
"""

from __future__ import annotations

from payouts.core.problems.kind import ProblemKind

__all__ = ["ACCOUNTS"]

_ASK = "Ask the payee for it again; never complete or change a digit yourself."

_ANY = (
    ProblemKind(
        "E_ACCOUNT_SPREADSHEET",
        "{value} is what a spreadsheet made of the account: it turned text into a number",
        "Take it again from the source and format the column as text: the digits are lost here.",
        source="PAYEES §0.5",
    ),
)

_IBAN = (
    ProblemKind(
        "E_IBAN_CHECK_DIGITS",
        "the check digits of IBAN {value} do not fit the rest of it",
        f"A character is wrong or two are swapped. {_ASK}",
        source="ISO 13616, ISO 7064 mod 97-10",
    ),
    ProblemKind(
        "E_IBAN_LENGTH",
        "IBAN {value} has the wrong length for its country",
        f"A character is missing or too many. {_ASK}",
        source="SWIFT IBAN registry",
    ),
    ProblemKind(
        "E_IBAN_STRUCTURE",
        "IBAN {value} has a letter where its country has a digit, or a digit for a letter",
        f"Look for O and 0, I and 1, S and 5. {_ASK}",
        source="SWIFT IBAN registry",
    ),
    ProblemKind(
        "E_IBAN_COUNTRY",
        "IBAN {value} does not begin with the code of a country that has IBANs",
        "Write the IBAN from its first two letters on; a country without IBANs needs another row.",
        source="SWIFT IBAN registry",
    ),
    ProblemKind(
        "E_IBAN_COUNTRY_OTHER",
        "IBAN {value} belongs to another country than the one of the line",
        "This rail pays accounts of its own country only: correct the country or the account.",
        source="PAYEES §1.3, §1.7",
    ),
    ProblemKind(
        "E_IBAN_CHARACTERS",
        "IBAN {value} is not made of letters and digits only",
        f"Take out everything else. {_ASK}",
        source="ISO 13616",
    ),
    ProblemKind(
        "E_IBAN_TR_RESERVE",
        "the tenth character of the Turkish IBAN {value} is not the reserved 0",
        _ASK,
        source="TCMB IBAN communiqué",
    ),
    ProblemKind(
        "W_IBAN_UNREGISTERED",
        "IBAN {value} is of a country or territory that has not registered its form",
        "Make sure with the payee that the bank takes this form; its check digits are right.",
        source="SWIFT IBAN registry",
    ),
    ProblemKind(
        "W_IBAN_OTHER_COUNTRY",
        "IBAN {value} is of another country than the line",
        "Nothing to do if the payee banks abroad; otherwise correct the country.",
        source="PAYEES §1.6",
    ),
    ProblemKind(
        "E_SEPA_SCOPE",
        "IBAN {value} is of a country that SEPA does not reach",
        "Pay it by another method; SEPA reaches 41 countries: payouts coverage --method sepa.",
        source="European Payments Council, SEPA scope",
    ),
)

_MEXICO = (
    ProblemKind(
        "E_CLABE_FORMAT",
        "{value} is not a CLABE: 18 digits",
        f"A card or account number is no CLABE. {_ASK}",
        source="Banco de México",
    ),
    ProblemKind(
        "E_CLABE_CHECK_DIGIT",
        "the control digit of CLABE {value} does not fit the rest of it",
        f"A digit is wrong or two are swapped. {_ASK}",
        source="Banco de México",
    ),
    ProblemKind(
        "W_CLABE_BANK",
        "the first three digits of CLABE {value} are no bank that takes part in SPEI today",
        "The bank may have closed since: ask the payee for a newer account.",
        source="Banco de México, list of SPEI participants",
    ),
)

_BRAZIL = (
    ProblemKind(
        "E_CPF_FORMAT",
        "{value} is not a CPF: 11 digits",
        _ASK,
        source="Receita Federal",
    ),
    ProblemKind(
        "E_CPF_CHECK_DIGITS",
        "the last two digits of CPF {value} do not fit the rest of it",
        f"A digit is wrong or two are swapped. {_ASK}",
        source="Receita Federal",
    ),
    ProblemKind(
        "E_CPF_REPEATED",
        "CPF {value} is one digit repeated, which is never given out",
        _ASK,
        source="Receita Federal",
    ),
    ProblemKind(
        "E_CNPJ_FORMAT",
        "{value} is not a CNPJ: 12 letters or digits, then 2 digits",
        _ASK,
        source="IN RFB 2.229/2024",
    ),
    ProblemKind(
        "E_CNPJ_CHECK_DIGITS",
        "the last two digits of CNPJ {value} do not fit the rest of it",
        f"A character is wrong or two are swapped. {_ASK}",
        source="IN RFB 2.229/2024",
    ),
    ProblemKind(
        "E_CNPJ_REPEATED",
        "CNPJ {value} is one digit repeated, which is never given out",
        _ASK,
        source="Receita Federal",
    ),
    ProblemKind(
        "E_PIX_KEY_FORMAT",
        "{value} has none of the five forms of a Pix key",
        "Write a CPF, a CNPJ, a mobile number from +55 on, an e-mail address or a random key.",
        source="BCB, DICT",
    ),
    ProblemKind(
        "E_PIX_KEY_AMBIGUOUS",
        "{value} is a valid CPF and a valid mobile number",
        "Say which in account_kind (cpf or phone), or write the number from +55 on.",
        source="PAYEES §1.2",
    ),
    ProblemKind(
        "E_PIX_KEY_KIND",
        "{value} is not a Pix key of the kind that account_kind names",
        "Correct the key or its kind: cpf, cnpj, phone, email or evp.",
        source="BCB, DICT",
    ),
    ProblemKind(
        "E_PIX_PHONE",
        "{value} is not a Brazilian mobile number: +55, area code, 9 and eight digits",
        "Write it from +55 on, with the ninth digit.",
        source="BCB, DICT; libphonenumber",
    ),
    ProblemKind(
        "E_PIX_EMAIL",
        "{value} is not an e-mail address that Pix takes",
        "At most 77 characters, one @, no accents, blanks or per cent signs.",
        source="BCB, DICT",
    ),
)

_MOBILE = (
    ProblemKind(
        "E_MSISDN_FORMAT",
        "{value} is not a telephone number",
        "Write digits, with or without + and the country code.",
        source="ITU-T E.164",
    ),
    ProblemKind(
        "E_MSISDN_COUNTRY",
        "the number {value} is of another country than the line",
        "Mobile money stays in its country: correct the number or the country.",
        source="ITU-T E.164",
    ),
    ProblemKind(
        "E_MSISDN_LENGTH",
        "the number {value} has the wrong length for its country",
        f"A digit is missing or too many. {_ASK}",
        source="libphonenumber",
    ),
    ProblemKind(
        "E_MSISDN_NOT_MOBILE",
        "{value} is not in a mobile range of its country",
        "A wallet needs a mobile number, not a fixed one. " + _ASK,
        source="libphonenumber",
    ),
    ProblemKind(
        "E_MSISDN_OLD_BENIN",
        "{value} is an 8-digit number of Benin: all have 10 digits since 30 November 2024",
        "Ask the payee; the new number is the old one behind 01.",
        source="ARCEP Bénin",
    ),
    ProblemKind(
        "E_MSISDN_OLD_IVORY_COAST",
        "{value} is an 8-digit number of Ivory Coast: all have 10 digits since 31 January 2021",
        "Ask the payee; the new number begins with 01, 05 or 07 by operator.",
        source="ARTCI",
    ),
    ProblemKind(
        "E_MSISDN_OLD_MEXICO",
        "{value} has the 1 behind +52 that Mexico gave up in August 2020",
        "Write +52 and the ten digits.",
        source="IFT; libphonenumber",
    ),
    ProblemKind(
        "W_MSISDN_NETWORK",
        "{value} was given to another operator than the line's network",
        "Nothing to do if the payee kept the number when changing; otherwise correct the network.",
        source="libphonenumber, carrier data",
    ),
    ProblemKind(
        "W_MSISDN_UNCHECKED",
        "{value} could not be checked: no numbering plan is known for the country",
        "Make sure that the country is right.",
        source="libphonenumber",
    ),
)

ACCOUNTS: tuple[ProblemKind, ...] = (*_ANY, *_IBAN, *_MEXICO, *_BRAZIL, *_MOBILE)
