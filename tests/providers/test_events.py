"""Events: whom they lead to, what they claim, and that nothing odd in them is taken for sense."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.core.outcomes import Verdict
from payouts.providers.events import Event
from payouts.providers.orkesta import Orkesta
from payouts.providers.orkestra import Orkestra
from payouts.providers.strict import UnreadableError

ORKESTA = Orkesta("http://x", api_key="k", from_accounts={"TRY": "acc_1"})
ORKESTRA = Orkestra("http://x", key_id="k", secret="s")  # noqa: S106  nobody listens
PAYMENT = {
    "id": "pay_1",
    "status": "settled",
    "amount": 1050,
    "currency": "TRY",
    "reference": "P" + "A" * 31,
}


def orkesta(kind: str = "payment.settled", **changes: Any) -> bytes:  # noqa: ANN401  members of the payment
    return json.dumps({"id": "evt_1", "type": kind, "data": {**PAYMENT, **changes}}).encode()


def test_an_orkesta_event_says_whom_to_ask_and_what_it_claims() -> None:
    assert ORKESTA.event(orkesta()) == Event(
        "payment",
        "payment.settled",
        "evt_1",
        ref="pay_1",
        wire="P" + "A" * 31,
        amount=Decimal(1050),
        minor=True,
        currency="TRY",
        status="settled",
        verdict=Verdict.SETTLED,
    )


@pytest.mark.parametrize(
    ("kind", "status", "verdict"),
    [
        ("payment.created", "pending", Verdict.PROCESSING),
        ("payment.approved", "approved", Verdict.PROCESSING),
        ("payment.processing", "processing", Verdict.PROCESSING),
        ("payment.settled", "completed", Verdict.SETTLED),
        ("payment.settled", "reconciled", Verdict.SETTLED),
        ("payment.failed", "failed", Verdict.REJECTED),
        ("payment.cancelled", "cancelled", Verdict.CANCELLED),
        ("payment.settled", None, Verdict.SETTLED),
        ("payment.settled", "failed", None),
        ("payment.settled", "vanished", None),
        ("payment.vanished", "settled", None),
        ("payment.vanished", "vanished", None),
        ("payment.created", "settled", None),
    ],
)
def test_type_and_status_have_to_agree_or_nothing_is_claimed(
    kind: str, status: str | None, verdict: Verdict | None
) -> None:
    assert ORKESTA.event(orkesta(kind, status=status)).verdict is verdict


def test_without_an_id_of_its_own_an_event_is_its_type_and_payment() -> None:
    """A-OKS-7."""
    raw = json.dumps({"type": "payment.failed", "data": PAYMENT}).encode()

    assert ORKESTA.event(raw).id == "payment.failed pay_1"


def test_a_reconciliation_is_a_topic_of_its_own() -> None:
    event = ORKESTA.event(b'{"id": "evt_2", "type": "reconciliation.completed", "data": {"x": 1}}')

    assert (event.topic, event.ref, event.wire) == ("reconciliation", None, None)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b'{"id": "evt_1"}',
        b'{"type": "", "data": {}}',
        b'{"type": "payment.settled"}',
        b'{"type": "payment.settled", "data": []}',
        b'{"type": "payment.settled", "data": {"id": 5}}',
        b'{"type": "payment.settled", "data": {"id": ""}}',
        b'{"type": "payment.settled", "data": {"id": "a b"}}',
        b'{"type": "payment.settled", "data": {"id": "a\\u0000"}}',
        b'{"type": "payment.settled", "type": "payment.failed", "data": {"id": "pay_1"}}',
    ],
)
def test_what_is_no_event_of_orkesta_is_unreadable(raw: bytes) -> None:
    with pytest.raises(UnreadableError):
        ORKESTA.event(raw)


NOTE = {"id": 7, "referenceId": "P" + "B" * 31, "amount": 12.5, "currency": "BRL", "status": "PAID"}


def orkestra(**changes: Any) -> bytes:  # noqa: ANN401  members of the notification
    return json.dumps({**NOTE, **changes}).encode()


def test_an_orkestra_notification_has_no_id_of_its_own_and_says_whom_to_ask() -> None:
    """A-ORK-4: its `id` is the payout's."""
    assert ORKESTRA.event(orkestra(paymentMethod="PIX")) == Event(
        "payment",
        "payout PAID",
        ref="7",
        wire="P" + "B" * 31,
        amount=Decimal("12.5"),
        currency="BRL",
        status="PAID",
        verdict=Verdict.SETTLED,
    )


@pytest.mark.parametrize(
    ("more", "topic"),
    [
        ({}, "payment"),
        ({"charges": [], "transactions": []}, "order"),
        ({"paidAmount": 12.5}, "order"),
        ({"transactionId": 3, "orderId": 2}, "refund"),
        ({"orderId": 2}, "payment"),
        ({"charges": [], "transactionId": 3}, "order"),
    ],
)
def test_orkestras_topics_show_in_the_fields(more: dict[str, object], topic: str) -> None:
    """An order must never be taken for a payout that happens to have its number."""
    assert ORKESTRA.event(orkestra(**more)).topic == topic


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b'{"status": "PAID"}', b'{"id": true}', b'{"id": 1.5}']
)
def test_what_is_no_notification_of_orkestra_is_unreadable(raw: bytes) -> None:
    with pytest.raises(UnreadableError):
        ORKESTRA.event(raw)


@pytest.mark.parametrize(
    ("amount", "agrees"),
    [(1050, True), (1051, False), (-1050, False), ("1050", False), (True, False), (None, True)],
)
def test_an_amount_agrees_only_if_it_is_exactly_ours(amount: object, *, agrees: bool) -> None:
    event = ORKESTA.event(orkesta(amount=amount))

    assert event.agrees(1050, "TRY", 2) is agrees
    assert not event.agrees(1050, "USD", 2)


@pytest.mark.parametrize(
    ("written", "minor", "exponent"),
    [("12.5", 1250, 2), ("12.50", 1250, 2), ("12", 12, 0), ("1.25e1", 1250, 2)],
)
def test_major_units_agree_by_value(written: str, minor: int, exponent: int) -> None:
    event = ORKESTRA.event(orkestra(amount="@").replace(b'"@"', written.encode()))

    assert event.agrees(minor, "BRL", exponent)
    assert not event.agrees(minor + 1, "BRL", exponent)


def test_a_monstrous_amount_costs_nothing_and_agrees_with_nothing() -> None:
    for written in (b"1e999999", b"-1e-999999", b"9" * 4_000):
        event = ORKESTRA.event(orkestra(amount="@").replace(b'"@"', written))
        assert not event.agrees(1250, "BRL", 2)


@given(raw=st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_bytes_are_an_event_or_unreadable(raw: bytes) -> None:
    for connector in (ORKESTA, ORKESTRA):
        try:
            connector.event(raw)
        except UnreadableError:
            continue


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(
    value=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("id", "type", "data", "status", "amount", "referenceId"), _JSON),
    )
)
def test_any_json_is_an_event_or_unreadable(value: object) -> None:
    raw = json.dumps(value).encode()
    for connector in (ORKESTA, ORKESTRA):
        try:
            event = connector.event(raw)
        except UnreadableError:
            continue
        event.agrees(1250, "BRL", 2)


def test_an_orders_own_reference_may_have_the_name_that_its_request_uses() -> None:
    """PROVIDERS 4.10."""
    raw = b'{"id": 7, "merchantOrderId": "ours", "charges": [], "status": "PAID"}'

    assert ORKESTRA.event(raw).wire == "ours"
