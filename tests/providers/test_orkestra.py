"""Orkestra: what is sent for each rail, and what each answer says of the payout."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.core.outcomes import Answer, Failure, Verdict
from payouts.providers.client import Exchange
from payouts.providers.connector import Sent
from payouts.providers.orkestra import Orkestra
from payouts.providers.strict import UnreadableError

ORKESTRA = Orkestra("https://sandbox.invalid", key_id="id", secret="pass:word")  # noqa: S106  nobody listens
WIRE = "P" + "A" * 31
SENT = Sent([WIRE], [1250], "BRL", 2)

Told = tuple[Verdict, str | None, str | None, str | None]


def payout(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  any JSON
    made = {
        "id": 77,
        "referenceId": WIRE,
        "amount": 12.5,
        "currency": "BRL",
        "paymentMethod": "PIX",
        "status": "PENDING",
    } | changes
    return {name: value for name, value in made.items() if value is not ...}


def told(body: bytes, status: int = 201, sent: Sent = SENT) -> Told:
    found = ORKESTRA.read(Exchange(status, body), sent)
    assert found.strangers == []
    return found.verdicts[0], found.refs[0], found.statuses[0], found.codes[0]


def read(row: object, sent: Sent = SENT) -> Told:
    return told(json.dumps(row).encode(), sent=sent)


# -- what is sent -------------------------------------------------------------------------------

BLANK = dict.fromkeys(
    [
        *("bank_code", "branch_code", "account_type", "document", "document_kind", "phone"),
        *("email", "network", "description"),
    ]
)


def body(**cells: object) -> dict[str, Any]:
    row = BLANK | {
        "reference": "INV-1",
        "name": "Ana Beatriz Souza Lima",
        "currency": "BRL",
        "amount_minor": 1250,
        "exponent": 2,
        "method": "pix",
        "account": "12345678909",
        "wire": WIRE,
    }
    frame = pl.DataFrame(
        [row | cells],
        schema_overrides=dict.fromkeys(BLANK, pl.String)
        | {"amount_minor": pl.Int64, "exponent": pl.Int8},
    )
    (text,) = ORKESTRA.encode(frame)
    assert text.endswith(f'"referenceId":"{WIRE}"' + "}"), "the lane cuts it from there"
    made: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return made


def test_a_pix_payout_is_written_as_the_page_shows_it() -> None:
    """ORK-pixout; the document stands in the account and in the beneficiary."""
    assert body(document="12345678909", document_kind="cpf", email="ana@example.com") == {
        "amount": Decimal("12.50"),
        "currency": "BRL",
        "paymentMethod": "PIX",
        "receivingBankAccount": {
            "key": "12345678909",
            "document": "12345678909",
            "documentType": "CPF",
        },
        "beneficiary": {
            "firstName": "Ana",
            "lastName": "Beatriz Souza Lima",
            "type": "INDIVIDUAL",
            "document": "12345678909",
            "documentType": "CPF",
            "emailAddress": "ana@example.com",
        },
        "description": "INV-1",
        "referenceId": WIRE,
    }


def test_a_spei_payout_has_its_document_with_the_beneficiary_only() -> None:
    """ORK-speiout."""
    made = body(
        currency="MXN",
        method="spei",
        account="002180000118359719",
        document="X",
        document_kind="curp",
    )

    assert made["receivingBankAccount"] == {"key": "002180000118359719"}
    assert made["beneficiary"]["documentType"] == "CURP"


def test_another_rail_has_the_same_envelope() -> None:
    """A-ORK-5."""
    made = body(
        currency="CLP",
        exponent=0,
        method="bank_transfer",
        account="123456",
        bank_code="012",
        branch_code="7",
        account_type="checking",
        description="week 47",
    )

    assert made["amount"] == 1250
    assert made["paymentMethod"] == "BANK_TRANSFER"
    assert made["receivingBankAccount"] == {
        "key": "123456",
        "bankCode": "012",
        "branchCode": "7",
        "accountType": "CHECKING",
    }
    assert made["description"] == "INV-1 week 47"


def test_a_wallet_on_a_network_names_the_network() -> None:
    made = body(
        currency="USDC", exponent=6, method="crypto_transfer", account="0x1", network="base"
    )

    assert made["amount"] == Decimal("0.001250")
    assert made["receivingBankAccount"] == {"key": "0x1", "network": "base"}


@pytest.mark.parametrize(
    ("kind", "document", "type_"),
    [
        ("cnpj", "11222333000181", "BUSINESS"),
        ("nit", "8001972684", "BUSINESS"),
        ("cuit", "30500010912", "BUSINESS"),
        ("cuit", "20267565393", "INDIVIDUAL"),  # a CUIL: everybody who works has one
        ("ruc", "20512333797", "BUSINESS"),
        ("ruc", "10054052842", "INDIVIDUAL"),
        ("ruc", "1792060346001", "BUSINESS"),
        ("ruc", "1710034065001", "INDIVIDUAL"),
        ("rfc", "GME561231GR8", "BUSINESS"),
        ("rfc", "GODE561231GR8", "INDIVIDUAL"),
        ("cpf", "12345678909", "INDIVIDUAL"),
        (None, "1", "INDIVIDUAL"),
        (None, None, "INDIVIDUAL"),
    ],
)
def test_the_document_tells_a_company_from_a_person(
    kind: str | None, document: str | None, type_: str
) -> None:
    made = body(document=document, document_kind=kind)

    assert made["beneficiary"]["type"] == type_


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Ana Lima", "Ana", "Lima"),
        ("Ana Maria de Lima", "Ana", "Maria de Lima"),
        ("Pelé", "Pelé", "Pelé"),
        ('O"Neil \\ Sons', 'O"Neil', "\\ Sons"),
    ],
)
def test_a_name_is_cut_at_its_first_blank(name: str, first: str, last: str) -> None:
    """Both parts are required; somebody with one name has it twice."""
    person = body(name=name)["beneficiary"]

    assert (person["firstName"], person["lastName"]) == (first, last)


@pytest.mark.parametrize(
    ("phone", "sent"), [("+573001234567", True), ("300 123 4567", False), ("+57 300", False)]
)
def test_a_phone_goes_along_only_in_the_form_that_is_taken(phone: str, *, sent: bool) -> None:
    """It is optional: nobody's payment fails for a telephone number."""
    assert ("phoneNumber" in body(phone=phone)["beneficiary"]) is sent


def test_credentials_go_as_http_basic() -> None:
    """A-ORK-1."""
    scheme, _, token = ORKESTRA.headers["Authorization"].partition(" ")

    assert scheme == "Basic"
    assert base64.b64decode(token) == b"id:pass:word"
    assert "pass:word" not in repr(ORKESTRA)


def test_one_payout_goes_in_one_request() -> None:
    request = ORKESTRA.submission([b"{}"], "key")

    assert (request.method, request.path, request.body) == ("POST", "/payouts", b"{}")
    assert request.moves_money
    assert not ORKESTRA.poll("77").moves_money


@pytest.mark.parametrize("ref", ["../refunds", "a?b", "a#b", "a b", "a\nb", "ü"])
def test_an_id_stays_one_segment_of_the_path(ref: str) -> None:
    path = ORKESTRA.poll(ref).path

    assert path.startswith("/payouts/")
    assert not set(path.removeprefix("/payouts/")) & set("/?# \n")
    assert path.isascii()


def test_its_key_is_remembered_for_a_day_unless_the_settings_say_never() -> None:
    """A-ORK-6, A-ORK-10: without a key the level falls to C0."""
    forgetful = Orkestra("https://x.invalid", key_id="i", secret="s", key_life_s=0)  # noqa: S106  the same

    assert ORKESTRA.capabilities.level == "C1"
    assert ORKESTRA.capabilities.key_life_s == 86_400
    assert forgetful.capabilities.level == "C0"


# -- answers as a whole -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exchange", "answer"),
    [
        (Exchange(201), Answer.READABLE),
        (Exchange(200), Answer.READABLE),
        (Exchange(202), Answer.READABLE),
        (Exchange(400), Answer.REJECTED),
        (Exchange(422), Answer.REJECTED),
        (Exchange(413), Answer.REJECTED),
        (Exchange(401), Answer.CONFIGURATION),
        (Exchange(404), Answer.CONFIGURATION),
        (Exchange(402), Answer.NOT_EXECUTED),
        (Exchange(429), Answer.NOT_EXECUTED),
        (Exchange(409), Answer.UNCLEAR),
        (Exchange(500), Answer.UNCLEAR),
        (Exchange(503), Answer.UNCLEAR),
        (Exchange(302), Answer.UNCLEAR),
        (Exchange(failure=Failure.READ_BROKEN), Answer.UNCLEAR),
        (Exchange(failure=Failure.NOT_CONNECTED), Answer.NOT_EXECUTED),
    ],
)
def test_a_refused_request_is_a_rejection_of_its_one_payout(
    exchange: Exchange, answer: Answer
) -> None:
    """A-ORK-7."""
    assert ORKESTRA.answer(exchange) is answer


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'{"code": "invalid_account", "message": "no"}', "invalid_account"),
        (b'{"code": "%b"}' % (b"x" * 999), "x" * 80),
        (b'{"code": 7}', "http_422"),
        (b"{}", "http_422"),
        (b"[]", "http_422"),
        (b"null", "http_422"),
        (b"<html>no</html>", "http_422"),
        (b"", "http_422"),
    ],
)
def test_a_rejection_says_why_as_far_as_it_can_be_read(text: bytes, code: str) -> None:
    assert told(text, status=422) == (Verdict.REJECTED, None, None, code)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<html>200 OK</html>",
        b'{"id": 77, "status": "PAI',
        b'{"id": 77, "id": 78, "status": "PAID"}',
        b'{"id": 77, "status": "PAID", "amount": NaN}',
    ],
    ids=["nothing", "HTML", "cut", "an id twice", "no number"],
)
def test_a_body_that_is_not_what_the_contract_says_is_unreadable(text: bytes) -> None:
    with pytest.raises(UnreadableError):
        told(text)


# -- the payout ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("PENDING", Verdict.PROCESSING),
        ("PAID", Verdict.SETTLED),
        ("FAILED", Verdict.REJECTED),
        ("CANCELLED", Verdict.CANCELLED),
        ("RETURNED", Verdict.RETURNED),
        ("paid", Verdict.UNCLEAR),
        ("SETTLED", Verdict.UNCLEAR),
        ("", Verdict.UNCLEAR),
        (None, Verdict.UNCLEAR),
        (7, Verdict.UNCLEAR),
        (..., Verdict.UNCLEAR),
    ],
)
def test_a_status_word_has_its_verdict_and_an_unknown_one_none(
    status: object, verdict: Verdict
) -> None:
    assert read(payout(status=status))[:2] == (verdict, "77")


def test_a_reason_is_kept_and_bounded() -> None:
    made = payout(status="FAILED", statusReason="account_closed: " + "x" * 500)

    assert read(made) == (Verdict.REJECTED, "77", "FAILED", ("account_closed: " + "x" * 500)[:80])


@pytest.mark.parametrize("text", ["12.5", "12.50", "12.500", "1.25e1", "1250e-2"])
def test_the_same_amount_may_be_written_in_other_digits(text: str) -> None:
    raw = json.dumps(payout(status="PAID")).replace("12.5", text)

    assert told(raw.encode())[0] is Verdict.SETTLED


@pytest.mark.parametrize(
    "text",
    [
        *("12.51", "12.500000001", "1250", "0", "-12.50", '"12.50"', "true", "null", "[]"),
        *(
            "1e999999",
            "1e-999999",
            "1e999999999999",
            "-1e999999",
            "9" * 4000,
            "0." + "1" * 4000,
            "12.5" + "0" * 40 + "1",
        ),
    ],
)
@pytest.mark.parametrize("status", ["PENDING", "PAID", "CANCELLED"])
def test_another_amount_is_never_taken_for_ours(text: str, status: str) -> None:
    """Nor does a number beyond all bounds make the reader stumble."""
    raw = json.dumps(payout(status=status)).replace("12.5", text)

    assert told(raw.encode())[0] is Verdict.MISMATCH


def test_an_amount_without_decimals_is_compared_in_its_own_unit() -> None:
    pesos = Sent([WIRE], [1250], "CLP", 0)

    assert read(payout(amount=1250, currency="CLP", status="PAID"), pesos)[0] is Verdict.SETTLED
    assert read(payout(amount=12.5, currency="CLP", status="PAID"), pesos)[0] is Verdict.MISMATCH


@pytest.mark.parametrize("currency", ["USD", "brl", None, ...])
def test_another_currency_is_never_taken_for_ours(currency: object) -> None:
    assert read(payout(currency=currency, status="PAID"))[0] is Verdict.MISMATCH


@pytest.mark.parametrize("reference", ["PZZZ", "", None, 7, ...])
def test_a_payout_with_another_reference_is_a_contradiction(reference: object) -> None:
    told_ = read(payout(referenceId=reference, status="PAID"))

    assert (told_[0], told_[3]) == (Verdict.MISMATCH, "reference_differs")


@pytest.mark.parametrize("ident", ["", None, ..., [], {}, 1.5, True])
def test_a_payout_without_an_id_is_unclear(ident: object) -> None:
    assert read(payout(id=ident, status="PAID"))[:2] == (Verdict.UNCLEAR, None)


def test_an_id_may_be_a_number_or_a_word() -> None:
    assert read(payout(id=77))[1] == read(payout(id="77"))[1] == "77"


@pytest.mark.parametrize("row", [[], [payout()], 7, None, "PAID", True])
def test_what_is_no_object_says_nothing(row: object) -> None:
    assert read(row)[0] is Verdict.UNCLEAR


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        name: st.just(value) | JSON
        for name, value in (payout(status="PAID") | {"statusReason": "x"}).items()
    },
)


@given(FIELDS | JSON)
def test_no_reply_settles_a_payout_without_its_reference_amount_currency_and_id(
    row: Any,  # noqa: ANN401  any JSON
) -> None:
    try:
        verdict, ref, _, _ = read(row)
    except UnreadableError:
        return
    if verdict is Verdict.SETTLED:
        assert (row["referenceId"], row["amount"], row["currency"]) == (WIRE, 12.5, "BRL")
        assert str(row["id"]) == ref
