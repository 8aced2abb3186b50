"""Orkesta: what is sent, and what each answer says of each item."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.core.outcomes import Answer, Failure, Verdict
from payouts.providers.client import Exchange
from payouts.providers.connector import Reading, Sent
from payouts.providers.orkesta import Orkesta
from payouts.providers.strict import UnreadableError

ORKESTA = Orkesta("https://sandbox.invalid/v1", api_key="k", from_accounts={"TRY": "acc_own"})
SENT = Sent(["PAAA", "PBBB", "PCCC"], [1000, 2000, 3000], "TRY", 2)


def payment(place: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401  any JSON
    made = {
        "id": f"pay_{place}",
        "status": "pending",
        "amount": SENT.amounts[place],
        "currency": "TRY",
        "reference": SENT.wires[place],
    } | changes
    return {name: value for name, value in made.items() if value is not ...}


def refused(place: int, code: str) -> dict[str, Any]:
    error = {"code": code, "message": "no"}
    return payment(place, id=..., status="failed", error=error)


def read(*rows: object, sent: Sent = SENT) -> Reading:
    return ORKESTA.read(Exchange(200, json.dumps(rows).encode()), sent)


def verdicts(*rows: object) -> list[Verdict]:
    return read(*rows).verdicts


def polled(row: object) -> tuple[Verdict, str | None, str | None, str | None]:
    one = Sent(SENT.wires[:1], SENT.amounts[:1], "TRY", 2)
    found = ORKESTA.read_poll(Exchange(200, json.dumps(row).encode()), one)
    return found.verdicts[0], found.refs[0], found.statuses[0], found.codes[0]


ALL = [payment(0), payment(1), payment(2)]
PROCESSING = [Verdict.PROCESSING] * 3

# -- what is sent -------------------------------------------------------------------------------


def items(**changes: object) -> pl.DataFrame:
    row = {
        "amount_minor": 125000,
        "currency": "TRY",
        "method": "eft",
        "account": "acc_01hx3k9qze4p7vb2ntcm6d8faj",
        "reference": "INV-1",
        "description": 'Kira "ödeme"',
        "wire": "P" + "A" * 31,
    } | changes
    return pl.DataFrame(
        [row], schema_overrides={"amount_minor": pl.Int64, "description": pl.String}
    )


def test_a_payment_is_written_as_the_page_shows_it() -> None:
    """OKS-create: minor units as an integer; our wire reference is `reference` (A-OKS-12)."""
    (body,) = ORKESTA.encode(items())

    assert json.loads(body) == {
        "amount": 125000,
        "currency": "TRY",
        "method": "eft",
        "from_account": "acc_own",
        "to_account": "acc_01hx3k9qze4p7vb2ntcm6d8faj",
        "description": 'INV-1 Kira "ödeme"',
        "reference": "P" + "A" * 31,
    }
    assert body.startswith('{"amount":125000,'), "an integer, not 125000.0"


def test_the_wire_reference_ends_every_body() -> None:
    """The lane cuts it from there (flows.lane)."""
    (body,) = ORKESTA.encode(items(description=None))

    assert body.endswith(f'"reference":"P{"A" * 31}"' + "}")
    assert json.loads(body)["description"] == "INV-1"


def test_a_long_description_is_cut() -> None:
    (body,) = ORKESTA.encode(items(description="ğ" * 300))

    assert len(json.loads(body)["description"]) == 140


def test_a_batch_is_a_bare_array_under_its_key() -> None:
    request = ORKESTA.submission([b'{"a":1}', b'{"b":2}'], "KEY-2")

    assert (request.method, request.path) == ("POST", "/payments/batch")
    assert request.body == b'[{"a":1},{"b":2}]'
    assert request.headers["Idempotency-Key"] == "KEY-2"
    assert request.moves_money


def test_a_poll_reads_one_payment_and_moves_nothing() -> None:
    request = ORKESTA.poll("pay_1")

    assert (request.method, request.path, request.moves_money) == ("GET", "/payments/pay_1", False)


@pytest.mark.parametrize("ref", ["../accounts", "a?b=c", "a#b", "a b", "a\nb", "ü"])
def test_an_id_stays_one_segment_of_the_path(ref: str) -> None:
    """It comes from the platform's reply, so it is not trusted to be a word."""
    path = ORKESTA.poll(ref).path

    assert path.startswith("/payments/")
    assert not set(path.removeprefix("/payments/")) & set("/?# \n")
    assert path.isascii()


def test_it_can_neither_look_up_nor_replay() -> None:
    """A-OKS-9; the engine derives C0 from it: nothing unclear is ever sent again by itself."""
    facts = ORKESTA.capabilities

    assert facts.level == "C0"
    assert (facts.batch_max, facts.per_request, facts.idempotent) == (500, 500, False)


# -- answers as a whole -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exchange", "answer"),
    [
        (Exchange(200), Answer.READABLE),
        (Exchange(201), Answer.READABLE),
        (Exchange(207), Answer.READABLE),
        (Exchange(422), Answer.POISONED),
        (Exchange(401), Answer.CONFIGURATION),
        (Exchange(429), Answer.NOT_EXECUTED),
        (Exchange(500), Answer.UNCLEAR),
        (Exchange(503), Answer.UNCLEAR),
        (Exchange(302), Answer.UNCLEAR),
        (Exchange(failure=Failure.READ_TIMEOUT), Answer.UNCLEAR),
        (Exchange(failure=Failure.NOT_CONNECTED), Answer.NOT_EXECUTED),
    ],
)
def test_the_class_follows_from_the_status_alone(exchange: Exchange, answer: Answer) -> None:
    """A-OKS-4; no body makes a 503 harmless here."""
    assert ORKESTA.answer(exchange) is answer


BODIES = {
    "HTML": b"<html>200 OK</html>",
    "nothing": b"",
    "cut": b'[{"id": "pay_1", "status": "settl',
    "an object": b'{"ok": true}',
    "an id twice": json.dumps(ALL).replace('"id"', '"id": "x", "id"', 1).encode(),
    "a code twice": b'[{"status":"failed","error":{"code":"try_later","code":"account_closed"}}]',
    "not a number": json.dumps(ALL).replace("1000", "NaN").encode(),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
def test_a_body_that_is_not_what_the_contract_says_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        ORKESTA.read(Exchange(200, body), SENT)


# -- items in any order -------------------------------------------------------------------------


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_items_are_matched_by_reference_in_any_order(order: tuple[int, ...]) -> None:
    """Matching by position would book one payee's failure on another."""
    rows = [payment(0), payment(1, status="settled"), refused(2, "account_closed")]

    found = read(*(rows[place] for place in order))

    assert found.verdicts == [Verdict.PROCESSING, Verdict.SETTLED, Verdict.REJECTED]
    assert found.refs == ["pay_0", "pay_1", None]
    assert found.codes == [None, None, "account_closed"]
    assert found.strangers == []


def test_an_item_that_is_missing_is_unclear_and_the_others_are_not() -> None:
    found = read(payment(0), payment(2))

    assert found.verdicts == [Verdict.PROCESSING, Verdict.UNCLEAR, Verdict.PROCESSING]
    assert found.codes[1] == "not_in_reply"


def test_an_empty_reply_leaves_all_unclear() -> None:
    assert verdicts() == [Verdict.UNCLEAR] * 3


def test_an_item_that_stands_twice_alike_counts_once() -> None:
    assert verdicts(payment(0), *ALL) == PROCESSING


@pytest.mark.parametrize("change", [{"id": "pay_9"}, {"status": "failed"}, {"amount": 1}])
def test_an_item_that_stands_twice_differently_is_unclear(change: dict[str, object]) -> None:
    """Two payments may have been made for it."""
    found = read(*ALL, payment(1, **change))

    assert found.verdicts == [Verdict.PROCESSING, Verdict.UNCLEAR, Verdict.PROCESSING]
    assert found.codes[1] == "listed_twice"


def test_a_stranger_is_told_and_harms_nobody() -> None:
    found = read(*ALL, payment(0, reference="PZZZ"))

    assert found.verdicts == PROCESSING
    assert found.strangers == ["PZZZ"]


@pytest.mark.parametrize("odd", [7, "text", None, [], True])
def test_a_row_that_is_no_object_is_passed_over(odd: object) -> None:
    assert verdicts(odd, *ALL) == PROCESSING


def test_rows_without_references_are_matched_by_position_if_all_else_agrees() -> None:
    """A-OKS-3: the page does not promise that `reference` is echoed."""
    bare = [payment(place, reference=...) for place in range(3)]

    assert verdicts(*bare) == PROCESSING
    assert read(*bare).refs == ["pay_0", "pay_1", "pay_2"]


@pytest.mark.parametrize(
    "rows",
    [
        [payment(0, reference=...), payment(1, reference=...)],
        [payment(1, reference=...), payment(0, reference=...), payment(2, reference=...)],
        [payment(0, reference=...), payment(1, reference=...), payment(2, reference=..., amount=1)],
        [
            payment(0, reference=...),
            payment(1, reference=...),
            payment(2, reference=..., currency="USD"),
        ],
        [
            payment(0, reference=...),
            payment(1, reference=...),
            payment(2, reference=..., amount=...),
        ],
        [payment(0, reference=7), payment(1, reference=8), payment(2, reference=9)],
    ],
    ids=["one missing", "swapped", "an amount", "a currency", "no amount", "odd references"],
)
def test_rows_without_references_that_do_not_agree_are_unclear(rows: list[object]) -> None:
    assert verdicts(*rows) == [Verdict.UNCLEAR] * 3


def test_one_reference_in_the_reply_ends_matching_by_position() -> None:
    rows = [payment(0), payment(1, reference=...), payment(2, reference=...)]

    assert verdicts(*rows) == [Verdict.PROCESSING, Verdict.UNCLEAR, Verdict.UNCLEAR]


# -- one item -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("pending", Verdict.PROCESSING),
        ("approved", Verdict.PROCESSING),
        ("processing", Verdict.PROCESSING),
        ("settled", Verdict.SETTLED),
        ("completed", Verdict.SETTLED),
        ("reconciled", Verdict.SETTLED),
        ("failed", Verdict.REJECTED),
        ("cancelled", Verdict.CANCELLED),
        ("returned", Verdict.RETURNED),
        ("SETTLED", Verdict.UNCLEAR),
        ("paid", Verdict.UNCLEAR),
        ("", Verdict.UNCLEAR),
        (None, Verdict.UNCLEAR),
        (7, Verdict.UNCLEAR),
        (..., Verdict.UNCLEAR),
    ],
)
def test_a_status_word_has_its_verdict_and_an_unknown_one_none(
    status: object, verdict: Verdict
) -> None:
    """An unknown word is neither success nor failure."""
    assert verdicts(payment(0, status=status), payment(1), payment(2))[0] is verdict
    assert polled(payment(0, status=status))[0] is verdict


@pytest.mark.parametrize("amount", [1001, 999, 0, -1000, 1000.0, "1000", True, None, ..., 10.0])
@pytest.mark.parametrize("status", ["pending", "settled", "cancelled"])
def test_another_amount_is_never_taken_for_ours(amount: object, status: str) -> None:
    made = payment(0, amount=amount, status=status)

    assert verdicts(made, payment(1), payment(2)) == [Verdict.MISMATCH, *PROCESSING[1:]]
    assert polled(made)[0] is Verdict.MISMATCH


@pytest.mark.parametrize("currency", ["USD", "try", "", None, ...])
def test_another_currency_is_never_taken_for_ours(currency: object) -> None:
    found = read(payment(0, currency=currency), payment(1), payment(2))

    assert found.verdicts[0] is Verdict.MISMATCH
    assert found.refs[0] == "pay_0", "the payment exists and has to be found again"


@pytest.mark.parametrize("ident", ["", None, 7, ..., [], {}])
def test_a_payment_without_an_id_is_unclear(ident: object) -> None:
    found = read(payment(0, id=ident), payment(1), payment(2))

    assert found.verdicts[0] is Verdict.UNCLEAR
    assert found.refs[0] is None


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("account_closed", Verdict.REJECTED),
        ("account_blocked", Verdict.REJECTED),
        ("account_not_found", Verdict.REJECTED),
        ("invalid_account", Verdict.REJECTED),
        ("name_mismatch", Verdict.REJECTED),
        ("unsupported_currency", Verdict.REJECTED),
        ("unsupported_method", Verdict.REJECTED),
        ("try_later", Verdict.NOT_EXECUTED),
        ("temporarily_unavailable", Verdict.NOT_EXECUTED),
        ("insufficient_funds", Verdict.NOT_EXECUTED),
        ("gremlins", Verdict.UNCLEAR),
        ("", Verdict.UNCLEAR),
    ],
)
def test_a_refusal_without_an_id_is_judged_by_its_code(code: str, verdict: Verdict) -> None:
    """RELIABILITY §3: an unknown item code is unclear."""
    assert verdicts(refused(0, code), payment(1), payment(2))[0] is verdict


def test_a_refusal_that_says_nothing_is_unclear() -> None:
    bare = payment(0, id=..., status="failed")

    assert verdicts(bare, payment(1), payment(2))[0] is Verdict.UNCLEAR


def test_a_payment_that_was_made_and_failed_is_final_whatever_its_code() -> None:
    made = payment(0, status="failed", failure_code="gremlins")

    assert polled(made) == (Verdict.REJECTED, "pay_0", "failed", "gremlins")


# -- polls --------------------------------------------------------------------------------------


def test_a_poll_reads_the_state_of_one_payment() -> None:
    assert polled(payment(0, status="settled")) == (Verdict.SETTLED, "pay_0", "settled", None)


@pytest.mark.parametrize("row", [[], [payment(0)], 7, None, "settled"])
def test_a_poll_that_is_no_object_says_nothing(row: object) -> None:
    assert polled(row)[0] is Verdict.UNCLEAR


def test_a_poll_of_somebody_else_s_payment_is_a_contradiction() -> None:
    verdict, _, _, code = polled(payment(0, reference="PZZZ", status="settled"))

    assert (verdict, code) == (Verdict.MISMATCH, "reference_differs")


def test_a_poll_may_leave_the_reference_out() -> None:
    assert polled(payment(0, reference=..., status="settled"))[0] is Verdict.SETTLED
    assert polled(payment(0, reference=None, status="settled"))[0] is Verdict.SETTLED


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
        "id": st.just("pay_0") | JSON,
        "status": st.sampled_from(["settled", "failed", "pending"]) | JSON,
        "amount": st.sampled_from([1000, 2000, 3000]) | JSON,
        "currency": st.just("TRY") | JSON,
        "reference": st.sampled_from(["PAAA", "PBBB", "PCCC"]) | JSON,
        "error": st.sampled_from([{"code": "account_closed"}, {"code": "try_later"}]) | JSON,
    },
)


@given(st.lists(FIELDS | JSON, max_size=4))
def test_no_reply_settles_an_item_without_its_reference_amount_currency_and_id(
    rows: list[Any],
) -> None:
    """Whatever a lying platform sends, and nothing that it sends makes the reader stumble."""
    try:
        found = read(*rows)
    except UnreadableError:
        return
    for place, verdict in enumerate(found.verdicts):
        if verdict is Verdict.SETTLED:
            assert any(
                isinstance(row, dict)
                and row.get("amount") == SENT.amounts[place]
                and row.get("currency") == "TRY"
                and row.get("id") == found.refs[place]
                and row.get("reference") in {SENT.wires[place], None}
                for row in rows
            )


@given(FIELDS | JSON)
def test_no_poll_makes_the_reader_stumble(row: Any) -> None:  # noqa: ANN401  any JSON
    verdict, ref, _, _ = polled(row)

    if verdict is Verdict.SETTLED:
        assert (row["id"], row["amount"], row["currency"]) == (ref, 1000, "TRY")
        assert row.get("reference") in {SENT.wires[0], None}


def test_a_large_reply_is_read_whole() -> None:
    count = 500
    sent = Sent([f"P{n}" for n in range(count)], [n + 1 for n in range(count)], "TRY", 2)
    rows = [payment(0, id=f"pay_{n}", amount=n + 1, reference=f"P{n}") for n in range(count)]
    random.Random(1).shuffle(rows)  # noqa: S311  an order, no secret

    found = read(*rows, sent=sent)

    assert found.verdicts == [Verdict.PROCESSING] * count
    assert found.refs == [f"pay_{n}" for n in range(count)]
