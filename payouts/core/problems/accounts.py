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

_AFRICA = (
    ProblemKind(
        "E_RIB_FORMAT",
        "{value} is neither an IBAN nor a RIB of its country",
        "Write the IBAN, or the RIB with its key: 24 characters in the XOF zone, 23 in the XAF.",
        source="BCEAO, BEAC",
    ),
    ProblemKind(
        "E_RIB_KEY",
        "the RIB key, the last two digits of {value}, does not fit the rest of it",
        f"A digit of bank, branch or account is wrong. {_ASK}",
        source="BCEAO, BEAC: 97 minus the number modulo 97",
    ),
    ProblemKind(
        "E_NUBAN_FORMAT",
        "{value} is not a NUBAN: 10 digits",
        "A leading zero may be lost. " + _ASK,
        source="Central Bank of Nigeria",
    ),
    ProblemKind(
        "W_NUBAN_CHECK_DIGIT",
        "the last digit of NUBAN {value} does not fit the rest of it and its bank code",
        "Right for wallets such as OPay; otherwise make sure of account and bank code.",
        source="Central Bank of Nigeria, revised NUBAN 2020; PAYEES §1.3",
    ),
    ProblemKind(
        "E_ZA_ID_FORMAT",
        "{value} is not a South African identity number: 13 digits from the birth date on",
        _ASK,
        source="Department of Home Affairs",
    ),
    ProblemKind(
        "E_ZA_ID_CHECK_DIGIT",
        "the last digit of the identity number {value} does not fit the rest of it",
        f"A digit is wrong or two are swapped. {_ASK}",
        source="Department of Home Affairs",
    ),
)

_SOUTH_AMERICA = (
    ProblemKind(
        "E_CBU_FORMAT",
        "{value} is not a CBU or CVU: 22 digits",
        "A digit is missing or too many. " + _ASK,
        source="BCRA",
    ),
    ProblemKind(
        "E_CBU_CHECK_DIGITS",
        "a check digit of the CBU or CVU {value} does not fit the rest of it",
        f"A digit is wrong or two are swapped. {_ASK}",
        source="BCRA",
    ),
    ProblemKind(
        "E_CBU_ALIAS",
        "{value} is neither a CBU, a CVU nor an alias",
        "An alias has 6 to 20 letters without accents, digits, dots or dashes, and no blanks.",
        source="BCRA",
    ),
    ProblemKind(
        "W_CBU_ALIAS_DIGITS",
        "{value} is read as an alias, but is made of digits only",
        "Make sure that it is no CBU with digits lost: a CBU has 22.",
        source="BCRA",
    ),
    ProblemKind(
        "E_CUIT_FORMAT",
        "{value} is not a CUIT or CUIL: 11 digits",
        _ASK,
        source="AFIP",
    ),
    ProblemKind(
        "E_CUIT_CHECK_DIGIT",
        "the last digit of CUIT {value} does not fit the rest of it",
        f"A digit is wrong or two are swapped. {_ASK}",
        source="AFIP",
    ),
    ProblemKind(
        "W_CUIT_TYPE",
        "the first two digits of CUIT {value} are of no known kind of taxpayer",
        "Make sure of the number with the payee.",
        source="AFIP",
    ),
    ProblemKind(
        "E_RUT_FORMAT",
        "{value} is not a RUT: 7 or 8 digits and a digit or K",
        "Write it with its check character, for example 12.345.678-5.",
        source="Registro Civil de Chile",
    ),
    ProblemKind(
        "E_RUT_CHECK_DIGIT",
        "the check character of RUT {value} does not fit the rest of it",
        f"A digit is wrong or two are swapped. {_ASK}",
        source="Registro Civil de Chile",
    ),
    ProblemKind(
        "W_CL_RUT_ACCOUNT",
        "account {value} is called a Cuenta RUT but is not the holder's RUT",
        "A Cuenta RUT is the RUT without its check character: correct the account or its type.",
        source="BancoEstado",
    ),
    ProblemKind(
        "E_NIT_FORMAT",
        "{value} is not a NIT: 9 digits and a check digit",
        _ASK,
        source="DIAN",
    ),
    ProblemKind(
        "E_NIT_CHECK_DIGIT",
        "the check digit of NIT {value} does not fit the rest of it",
        f"A digit is wrong or two are swapped. {_ASK}",
        source="DIAN",
    ),
    ProblemKind(
        "W_NIT_WITHOUT_CHECK_DIGIT",
        "NIT {value} has no check digit, so that nothing proves it",
        "Write the tenth digit, the one behind the dash.",
        source="DIAN",
    ),
    ProblemKind(
        "E_CEDULA_FORMAT",
        "{value} is not a cédula of Ecuador: 10 digits that begin with a province",
        "A leading zero may be lost. " + _ASK,
        source="Registro Civil del Ecuador",
    ),
    ProblemKind(
        "E_CEDULA_CHECK_DIGIT",
        "the last digit of cédula {value} does not fit the rest of it",
        f"A digit is wrong or two are swapped. {_ASK}",
        source="Registro Civil del Ecuador",
    ),
    ProblemKind(
        "E_EC_RUC_FORMAT",
        "{value} is not a RUC of Ecuador: 13 digits that begin with a province",
        "A leading zero may be lost. " + _ASK,
        source="SRI",
    ),
    ProblemKind(
        "E_EC_RUC_CHECK_DIGIT",
        "RUC {value} does not begin with a valid cédula",
        f"A digit is wrong or two are swapped. {_ASK}",
        source="SRI",
    ),
    ProblemKind(
        "W_EC_RUC_CHECK_DIGIT",
        "the check digit of RUC {value} does not fit the rest of it",
        "New companies may have none; make sure of the number with the payee.",
        source="SRI",
    ),
    ProblemKind(
        "E_CCI_FORMAT",
        "{value} is not a CCI: 20 digits",
        "An account number is no CCI: ask the payee for the interbank code.",
        source="PAYEES §1.1",
    ),
    ProblemKind(
        "W_CCI_CHECK_DIGITS",
        "the last two digits of CCI {value} do not fit the rest of it",
        "The rule is not confirmed for all banks; make sure of the number with the payee.",
        source="PAYEES §1.1",
    ),
    ProblemKind(
        "E_PE_RUC_FORMAT",
        "{value} is not a RUC of Peru: 11 digits from 10, 15, 16, 17 or 20 on",
        _ASK,
        source="SUNAT",
    ),
    ProblemKind(
        "E_PE_RUC_CHECK_DIGIT",
        "the last digit of RUC {value} does not fit the rest of it",
        f"A digit is wrong or two are swapped. {_ASK}",
        source="SUNAT",
    ),
)

_BANKS = (
    ProblemKind(
        "E_ACCOUNT_CHARACTERS",
        "account {value} holds characters that accounts of its country do not have",
        "Write digits only; in a few countries letters are right as well.",
        source="PAYEES §1.1, §1.3",
    ),
    ProblemKind(
        "E_ACCOUNT_LENGTH",
        "account {value} is too short or too long for its country",
        "A leading zero may be lost. " + _ASK,
        source="PAYEES §1.1, §1.3, §1.6",
    ),
    ProblemKind(
        "E_BANK_CODE_FORMAT",
        "'{value}' is not a bank code of the line's country",
        "Write the code that the central bank lists: 3 digits in CL, 6 in GH, 3, 5 or 6 in NG.",
        source="PAYEES §1.1, §1.3",
    ),
    ProblemKind(
        "E_BIC_FORMAT",
        "'{value}' is not a BIC: 8 or 11 letters and digits with the country in place 5 and 6",
        "Correct it, or leave it out: SEPA needs only the IBAN.",
        source="ISO 9362",
    ),
    ProblemKind(
        "E_BIC_COUNTRY",
        "'{value}' is not a BIC: letters 5 and 6 are no country",
        "Correct it, or leave it out: SEPA needs only the IBAN.",
        source="ISO 9362, ISO 3166",
    ),
    ProblemKind(
        "W_BIC_OTHER_COUNTRY",
        "BIC '{value}' is of another country than the IBAN beside it",
        "The IBAN decides; correct or leave out the BIC.",
        source="PAYEES §1.6",
    ),
    ProblemKind(
        "E_ABA_FORMAT",
        "'{value}' is not a routing number: 9 digits",
        "A leading zero may be lost. " + _ASK,
        source="American Bankers Association",
    ),
    ProblemKind(
        "E_ABA_CHECK_DIGIT",
        "the last digit of routing number '{value}' does not fit the rest of it",
        f"A digit is wrong or two are swapped. {_ASK}",
        source="American Bankers Association",
    ),
    ProblemKind(
        "W_ABA_DISTRICT",
        "routing number '{value}' begins with no district of the Federal Reserve",
        "Make sure of the number with the payee.",
        source="American Bankers Association",
    ),
    ProblemKind(
        "E_SORT_CODE_FORMAT",
        "'{value}' is not a sort code: 6 digits",
        "Write it as 20-00-00 or 200000.",
        source="Pay.UK",
    ),
    ProblemKind(
        "E_CA_BANK_FORMAT",
        "'{value}' is not a Canadian institution and transit",
        "Write 0, three digits of the institution and five of the transit, or the transit in branch_code.",
        source="Payments Canada",
    ),
    ProblemKind(
        "E_ORKESTA_ACCOUNT_FORMAT",
        "{value} is not an account id of Orkesta: acc_ and letters or digits",
        "Copy the id from the Orkesta dashboard.",
        source="Orkesta, quick start",
    ),
    ProblemKind(
        "E_ORKESTA_IBAN",
        "Orkesta has not published that {value}, an IBAN, may be paid: it knows accounts by acc_… ids",
        "Use the acc_… id, or get it confirmed and add {allowed} to `allow_undocumented_rails`.",
        source="A-OKS-13",
    ),
    ProblemKind(
        "W_ORKESTA_ACCOUNT_LENGTH",
        "account id {value} has another length than Orkesta's ids: acc_ and 26 characters",
        "Make sure that the id was copied whole.",
        source="Orkesta, quick start",
    ),
)

_CARDS = (
    ProblemKind(
        "E_CARD_NUMBER",
        "{value} is a card number: a payee file may not hold any",
        "Put the card into a vault and write its token here; delete the file with the number.",
        source="PCI DSS 3.4; PAYEES §1.8",
    ),
    ProblemKind(
        "E_CARD_TOKEN_FORMAT",
        "{value} is not a card token",
        "Write the vault's or acquirer's token, for example tok_ and its characters.",
        source="PAYEES §1.8",
    ),
)

_CRYPTO = (
    ProblemKind(
        "E_CRYPTO_NETWORK_MISSING",
        "the line of address {value} names no network",
        "Fill in the column network: the address alone does not tell it.",
        source="PAYEES §1.9",
    ),
    ProblemKind(
        "E_CRYPTO_NETWORK_UNKNOWN",
        "the network of address {value} is not one we know",
        "Write ethereum, polygon, base, arbitrum, optimism, avalanche, bnb, tron or solana.",
        source="PAYEES §1.9",
    ),
    ProblemKind(
        "E_CRYPTO_NETWORK_OTHER",
        "address {value} has the form of another network than the line's",
        "Correct the network or the address: what is sent to a wrong network is lost.",
        source="PAYEES §1.9",
    ),
    ProblemKind(
        "E_CRYPTO_ASSET",
        "the currency of address {value} does not exist on the line's network",
        "Use another network: USDC has none on TRON.",
        source="Circle, Tether: supported networks, November 2026",
    ),
    ProblemKind(
        "W_CRYPTO_BRIDGED",
        "on the network of address {value} the currency is a copy that its issuer does not back",
        "Make sure that the payee wants it there.",
        source="Circle, Tether: supported networks, November 2026",
    ),
    ProblemKind(
        "E_CRYPTO_BURN",
        "address {value} belongs to nobody: what is sent there is lost",
        _ASK,
        source="PAYEES §1.9",
    ),
    ProblemKind(
        "E_CRYPTO_CONTRACT",
        "address {value} is a token's own contract: what is sent there is lost",
        "Ask the payee for the address of the wallet, not of the token.",
        source="PAYEES §1.9",
    ),
    ProblemKind(
        "E_CRYPTO_SYSTEM",
        "address {value} is a program of the network: what is sent there is lost",
        _ASK,
        source="Solana, native programs",
    ),
    ProblemKind(
        "E_EVM_FORMAT",
        "{value} is not an address: 0x and 40 hexadecimal digits",
        _ASK,
        source="ERC-55",
    ),
    ProblemKind(
        "E_EVM_CHECKSUM",
        "upper and lower case of address {value} do not fit its digits",
        "A character is wrong: copy the address again, never type it.",
        source="ERC-55",
    ),
    ProblemKind(
        "W_EVM_WITHOUT_CHECKSUM",
        "address {value} is all in one case and so carries no checksum",
        "Copy it from the wallet in mixed case, so that a typing error shows.",
        source="ERC-55",
    ),
    ProblemKind(
        "E_TRON_FORMAT",
        "{value} is not a TRON address: T and 33 letters and digits",
        _ASK,
        source="TRON protocol",
    ),
    ProblemKind(
        "E_TRON_CHECKSUM",
        "the checksum of TRON address {value} does not fit",
        "A character is wrong: copy the address again, never type it.",
        source="TRON protocol",
    ),
    ProblemKind(
        "E_SOLANA_FORMAT",
        "{value} is not a Solana address: 32 to 44 letters and digits without 0, O, I and l",
        _ASK,
        source="Solana, base58 public keys",
    ),
    ProblemKind(
        "E_SOLANA_LENGTH",
        "{value} is not a Solana address: it does not stand for 32 bytes",
        "A character is missing or too many: copy the address again, never type it.",
        source="Solana, base58 public keys",
    ),
)

_DOCUMENTS = (
    ProblemKind(
        "E_DOCUMENT_FORMAT",
        "document {value} has no form that documents of its country and kind have",
        "Correct it, or name its kind in document_kind, for example passport.",
        source="PAYEES §1.1, §1.5",
    ),
    ProblemKind(
        "W_DOCUMENT_KIND",
        "document {value} may be a citizen's card or a NIT",
        "Say which in document_kind: cc, ce, nit, pep, ti or passport.",
        source="PAYEES §1.1",
    ),
    ProblemKind(
        "W_DOCUMENT_LENGTH",
        "document {value} is shorter than usual",
        "Make sure of the number with the payee.",
        source="PAYEES §1.1",
    ),
    ProblemKind(
        "E_CURP_FORMAT",
        "{value} is not a CURP: 18 characters with a birth date and a state",
        _ASK,
        source="RENAPO",
    ),
    ProblemKind(
        "E_CURP_CHECK_DIGIT",
        "the last digit of CURP {value} does not fit the rest of it",
        f"A character is wrong or two are swapped. {_ASK}",
        source="RENAPO",
    ),
    ProblemKind(
        "E_RFC_FORMAT",
        "{value} is not an RFC: 3 or 4 letters, a date and 3 characters",
        _ASK,
        source="SAT",
    ),
    ProblemKind(
        "E_TCKN_FORMAT",
        "{value} is not a TCKN: 11 digits, the first no 0",
        _ASK,
        source="Nüfus İdaresi",
    ),
    ProblemKind(
        "E_TCKN_CHECK_DIGITS",
        "the last two digits of TCKN {value} do not fit the rest of it",
        f"A digit is wrong or two are swapped. {_ASK}",
        source="Nüfus İdaresi",
    ),
    ProblemKind(
        "E_VKN_FORMAT",
        "{value} is not a VKN: 10 digits",
        _ASK,
        source="Gelir İdaresi",
    ),
    ProblemKind(
        "E_VKN_CHECK_DIGIT",
        "the last digit of VKN {value} does not fit the rest of it",
        f"A digit is wrong or two are swapped. {_ASK}",
        source="Gelir İdaresi",
    ),
)

ACCOUNTS: tuple[ProblemKind, ...] = (
    *_ANY,
    *_IBAN,
    *_MEXICO,
    *_BRAZIL,
    *_SOUTH_AMERICA,
    *_AFRICA,
    *_MOBILE,
    *_BANKS,
    *_CARDS,
    *_CRYPTO,
    *_DOCUMENTS,
)
