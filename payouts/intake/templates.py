r"""Templates: the column names of files that people already make for other payout products.

Names are compared as `key` gives them: lower case, letters and digits alone, so that
`Payout Currency`, `payout_currency` and `payoutCurrency` are one name.

>>> key("Fund Account IFSC"), key(" recipientEmail\ufeff")
('fundaccountifsc', 'recipientemail')
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

__all__ = ["CARD_DATA", "SYNONYMS", "TEMPLATES", "Template", "key"]


def key(name: str) -> str:
    """Give the form in which column names are compared."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in plain if char.isalnum())


@dataclass(frozen=True, slots=True)
class Template:
    """One product's file.

    Args:
        name: the product.
        marks: keys that only this product's header has together.
        columns: key of its column → ours; of several for one of ours the first filled one counts.
        ignored: keys of columns that no payment needs; a trailing `*` stands for any ending.
        joined: keys that are put together, in this order, to our `name`.
        paise: key of an amount column that counts hundredths.
        priced_in: key of the column that names the currency of the amount, where that may be
            another one than the payment's.
    """

    name: str
    marks: frozenset[str]
    columns: dict[str, str]
    ignored: frozenset[str] = frozenset()
    joined: tuple[str, ...] = ()
    paise: str = ""
    priced_in: str = ""


SYNONYMS: Final[dict[str, str]] = {
    "referenceid": "reference",
    "payerreference": "reference",
    "endtoendid": "reference",
    "externalid": "reference",
    "requestid": "reference",
    "beneficiary": "name",
    "beneficiaryname": "name",
    "payee": "name",
    "payeename": "name",
    "recipientname": "name",
    "fullname": "name",
    "accountname": "name",
    "accountholder": "name",
    "countrycode": "country",
    "beneficiarycountry": "country",
    "bankcountry": "country",
    "bankcountrycode": "country",
    "ccy": "currency",
    "currencycode": "currency",
    "paymentmethod": "method",
    "payoutmethod": "method",
    "rail": "method",
    "iban": "account",
    "accountnumber": "account",
    "accountno": "account",
    "bankaccount": "account",
    "bankaccountnumber": "account",
    "beneficiaryaccount": "account",
    "cbu": "account",
    "cvu": "account",
    "clabe": "account",
    "cci": "account",
    "nuban": "account",
    "pixkey": "account",
    "walletaddress": "account",
    "accountkind": "account_kind",
    "pixkeytype": "account_kind",
    "bic": "bank_code",
    "swift": "bank_code",
    "swiftcode": "bank_code",
    "routingnumber": "bank_code",
    "sortcode": "bank_code",
    "branch": "branch_code",
    "bankbranch": "branch_code",
    "agency": "branch_code",
    "documentnumber": "document",
    "documentid": "document",
    "taxid": "document",
    "documenttype": "document_kind",
    "mobile": "phone",
    "msisdn": "phone",
    "phonenumber": "phone",
    "mobilenumber": "phone",
    "emailaddress": "email",
    "recipientemail": "email",
    "chain": "network",
    "operator": "network",
    "mobilenetwork": "network",
    "note": "description",
    "memo": "description",
    "narration": "description",
    "label": "description",
    "purpose": "description",
    "paymentdate": "due_date",
    "valuedate": "due_date",
}
"""Names that mean one of our columns in any file."""

CARD_DATA: Final = frozenset(
    {
        *("pan", "cardnumber", "cardno", "creditcard", "creditcardnumber", "debitcardnumber"),
        *("primaryaccountnumber", "cvv", "cvv2", "cvc", "cvc2", "cardcvv", "securitycode"),
        *("cardexpiry", "cardexpirydate", "expirydate", "expirymonth", "expiryyear"),
        *("track1", "track2", "trackdata"),
    }
)
"""Names of columns that no payee file may have."""

PAYPAL: Final = Template(
    "PayPal",
    frozenset({"recipient", "amount", "currency"}),
    {
        "recipient": "account",
        "amount": "amount",
        "currency": "currency",
        "customerid": "reference",
        "note": "description",
    },
    ignored=frozenset({"wallet", "socialsetting"}),
)
"""PayPal Payouts Web has no header: its columns are known by their place."""

TEMPLATES: Final = (
    PAYPAL,
    Template(
        "Wise",
        frozenset({"amountcurrency", "sourcecurrency", "targetcurrency", "amount"}),
        {
            "name": "name",
            "recipientemail": "email",
            "recipientdetail": "account",
            "account": "account",
            "targetcurrency": "currency",
            "amount": "amount",
            "referencenumber": "reference",
            "paymentreference": "description",
        },
        ignored=frozenset({"recipientid", "sourcecurrency", "amountcurrency", "receivertype"}),
        priced_in="amountcurrency",
    ),
    Template(
        "RazorpayX",
        frozenset({"razorpayxaccountnumber", "fundaccounttype", "payoutmode"}),
        {
            "payoutamount": "amount",
            "payoutamountinrupees": "amount",
            "payoutcurrency": "currency",
            "payoutmode": "method",
            "payoutnarration": "description",
            "payoutreferenceid": "reference",
            "fundaccounttype": "account_kind",
            "fundaccountname": "name",
            "fundaccountifsc": "bank_code",
            "fundaccountnumber": "account",
            "fundaccountvpa": "account",
            "fundaccountphonenumber": "phone",
            "fundaccountemail": "email",
            "contactname": "name",
            "contactemail": "email",
            "contactmobile": "phone",
        },
        ignored=frozenset(
            {
                *("razorpayxaccountnumber", "payoutpurpose", "fundaccountid"),
                *("contacttype", "contactreferenceid", "notes*"),
            }
        ),
        paise="payoutamount",
    ),
    Template(
        "Airwallex",
        frozenset({"accountcurrency", "accountname", "accountnumber", "bankcountrycode"}),
        {
            "accountcurrency": "currency",
            "accountname": "name",
            "accountnumber": "account",
            "iban": "account",
            "accountroutingvalue1": "bank_code",
            "swiftcode": "bank_code",
            "bankcountrycode": "country",
            "paymentamount": "amount",
            "transferamount": "amount",
            "transfermethod": "method",
            "paymentmethod": "method",
        },
        ignored=frozenset({"accountroutingtype1", "accountroutingtype2", "entitytype"}),
    ),
    Template(
        "dLocal",
        frozenset({"externalid", "beneficiaryname", "documentid", "bankaccount"}),
        {
            "externalid": "reference",
            "country": "country",
            "amount": "amount",
            "currency": "currency",
            "documentid": "document",
            "documenttype": "document_kind",
            "bankcode": "bank_code",
            "bankbranch": "branch_code",
            "bankaccount": "account",
            "accounttype": "account_type",
            "paymentmethodid": "method",
            "cashouttype": "method",
            "email": "email",
            "phone": "phone",
            "description": "description",
            "purpose": "description",
        },
        ignored=frozenset({"bankname", "notificationurl", "currencytopay", "flowtype", "address"}),
        joined=("beneficiaryname", "beneficiarylastname"),
        priced_in="currencytopay",
    ),
    Template(
        "Revolut",
        frozenset({"recipienttype", "recipientbankcountry", "paymentreference"}),
        {
            "name": "name",
            "accountnumber": "account",
            "iban": "account",
            "sortcodeorroutingnumber": "bank_code",
            "bic": "bank_code",
            "recipientbankcountry": "country",
            "currency": "currency",
            "amount": "amount",
            "paymentreference": "description",
        },
        ignored=frozenset(
            {
                *("recipienttype", "recipientcountry", "recipientaddress*", "address*", "city"),
                *("state*", "province", "postalcode", "postcode", "zip*"),
            }
        ),
    ),
    Template(
        "Payoneer",
        frozenset({"recipientemailid", "amount", "currency"}),
        {
            "recipientemailid": "account",
            "amount": "amount",
            "currency": "currency",
            "description": "description",
        },
    ),
    Template(
        "Mifos",
        frozenset({"paymentmode", "payeeidentifiertype", "payeeidentifier"}),
        {
            "requestid": "reference",
            "paymentmode": "method",
            "payeeidentifiertype": "account_kind",
            "payeeidentifier": "account",
            "amount": "amount",
            "currency": "currency",
            "note": "description",
        },
        ignored=frozenset({"id", "payeridentifiertype", "payeridentifier"}),
    ),
)
