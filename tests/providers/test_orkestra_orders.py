"""Orkestra's orders and refunds against the sandbox, over a real socket."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from payouts import local
from payouts.core.errors import InvariantError, UsageError
from payouts.core.outcomes import Answer, Verdict
from payouts.providers.calls import Calls
from payouts.providers.client import Exchange, Permit, clock
from payouts.providers.orkestra import Orkestra
from payouts.providers.orkestra_orders import (
    Charge,
    Customer,
    NewOrder,
    NewRefund,
    NewTransaction,
    Order,
    OrkestraOrders,
)
from payouts.providers.strict import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ADA = Customer("Ada", "Lovelace", "52998224725", "CPF", email="ada@example.com")
PAYOUT = {
    "paymentMethod": "PIX",
    "receivingBankAccount": {
        "key": "ada@example.com",
        "document": "52998224725",
        "documentType": "CPF",
    },
    "beneficiary": {
        "firstName": "Ada",
        "lastName": "Lovelace",
        "type": "INDIVIDUAL",
        "document": "52998224725",
        "documentType": "CPF",
    },
}


class Desk:
    """Calls the platform and reads its answers."""

    def __init__(self, base_url: str) -> None:
        self.platform = OrkestraOrders(
            Orkestra(base_url, key_id="sandbox-orkestra", secret="sandbox-orkestra-secret")  # noqa: S106  the imitation's own
        )
        self.calls = Calls(base_url, self.platform.headers)

    def send(self, request: Any) -> Exchange:  # noqa: ANN401  Request
        return self.calls(request, Permit(1, 1, clock() + 10))

    def paid(self, key: str, *parts: int, method: str = "PIX") -> Order:
        """An order of these minor units, once all of it is paid."""
        transactions = [NewTransaction(method, part) for part in parts]
        order = NewOrder(key, "BRL", 2, [Charge(ADA, transactions)])
        made = self.platform.read_order(self.send(self.platform.create(order)), 2)
        end = time.monotonic() + 20
        while made.verdict is Verdict.PROCESSING and time.monotonic() < end:
            time.sleep(0.05)
            made = self.platform.read_order(self.calls(self.platform.order(made.ref)), 2)
        return made


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("sandbox")
    with local.sandbox_running(folder, speed="instant") as url:
        yield Desk(f"{url}/orkestra")


def test_an_order_is_paid_in_its_transactions_to_the_digit(desk: Desk) -> None:
    order = desk.paid("O-1", 10_25, 4_75)

    assert (order.key, order.verdict, order.amount_minor, order.paid_minor) == (
        "O-1",
        Verdict.SETTLED,
        15_00,
        15_00,
    )
    assert [(one.method, one.amount_minor) for one in order.transactions] == [
        ("PIX", 10_25),
        ("PIX", 4_75),
    ]


def test_several_partial_refunds_and_then_the_rest_leave_nothing(desk: Desk) -> None:
    (bought,) = desk.paid("O-2", 10_00).transactions
    parts = [("R-1", 2_50), ("R-2", 3_00), ("R-3", None)]

    refunds = [
        desk.platform.read_refund(
            desk.send(desk.platform.refund(NewRefund(key, bought.ref, "BRL", 2, amount))), 2
        )
        for key, amount in parts
    ]

    assert [(one.amount_minor, one.total, one.by_payout) for one in refunds] == [
        (2_50, False, False),
        (3_00, False, False),
        (4_50, False, False),
    ]
    more = desk.send(desk.platform.refund(NewRefund("R-4", bought.ref, "BRL", 2, 1)))
    assert desk.platform.answer(more) is Answer.REJECTED
    assert desk.platform.refusal(more) == "exceeds_remainder"


def test_a_whole_refund_sent_again_under_its_key_is_one_refund(desk: Desk) -> None:
    order = desk.paid("O-3", 8_00)
    request = desk.platform.refund(NewRefund("R-5", order.transactions[0].ref, "BRL", 2))

    first, again = (desk.platform.read_refund(desk.send(request), 2) for _ in range(2))

    assert first.ref == again.ref
    assert first.total
    read = desk.platform.read_refund(desk.calls(desk.platform.refund_of(first.ref)), 2)
    assert (read.key, read.transaction, read.verdict) == (
        "R-5",
        order.transactions[0].ref,
        Verdict.SETTLED,
    )
    after = desk.platform.read_order(desk.calls(desk.platform.order(order.ref)), 2)
    assert after.transactions[0].refunded_minor == 8_00


def test_the_same_key_for_another_refund_is_refused(desk: Desk) -> None:
    (bought,) = desk.paid("O-4", 9_00).transactions
    desk.send(desk.platform.refund(NewRefund("R-6", bought.ref, "BRL", 2, 1_00)))

    other = desk.send(desk.platform.refund(NewRefund("R-6", bought.ref, "BRL", 2, 2_00)))

    assert desk.platform.answer(other) is Answer.REJECTED
    assert desk.platform.refusal(other) == "reference_conflict"


def test_cash_goes_back_as_an_alternative_payout_only(desk: Desk) -> None:
    (bought,) = desk.paid("O-5", 7_00, method="CASH").transactions

    refused = desk.send(desk.platform.refund(NewRefund("R-7", bought.ref, "BRL", 2)))
    made = desk.send(desk.platform.refund(NewRefund("R-8", bought.ref, "BRL", 2, payout=PAYOUT)))

    assert desk.platform.refusal(refused) == "payout_required"
    refund = desk.platform.read_refund(made, 2)
    assert (refund.by_payout, refund.amount_minor, refund.total) == (True, 7_00, True)


def test_an_order_without_amounts_is_refused_before_it_is_sent(desk: Desk) -> None:
    with pytest.raises(UsageError) as caught:
        desk.platform.create(NewOrder("O-6", "BRL", 2, [Charge(ADA, [NewTransaction("PIX", 0)])]))

    assert caught.value.code == "E_ORDER_AMOUNT"


def test_nothing_leaves_without_a_committed_attempt(desk: Desk) -> None:
    request = desk.platform.refund(NewRefund("R-9", 1, "BRL", 2))

    with pytest.raises(InvariantError):
        desk.calls(request)


def test_amounts_are_written_and_read_digit_by_digit(desk: Desk) -> None:
    request = desk.platform.refund(NewRefund("R", 1, "BRL", 2, 2**53 + 1))

    assert b'"amount":90071992547409.93' in (request.body or b"")


def _refund(**changes: object) -> dict[str, object]:
    made: dict[str, object] = {
        "id": 2**53 + 1,
        "transactionId": 7,
        "amount": 12,
        "currency": "BRL",
        "status": "PENDING",
    }
    return made | changes


@pytest.mark.parametrize(
    "change",
    [
        {"id": "7"},
        {"id": -1},
        {"transactionId": None},
        {"amount": "12.50"},
        {"amount": True},
        {"amount": -1},
        {"amount": 10**30},
    ],
)
def test_an_odd_answer_is_unreadable_and_never_guessed(
    desk: Desk, change: dict[str, object]
) -> None:
    body = json.dumps(_refund(**change)).encode()

    with pytest.raises(UnreadableError):
        desk.platform.read_refund(Exchange(200, body), 2)


@pytest.mark.parametrize(
    "amount",
    ["12.005", "12.50000000000000000000000000000001", "1e9999999", "1e-9999999", "9" * 60],
)
def test_more_digits_than_the_currency_has_are_unreadable(desk: Desk, amount: str) -> None:
    body = json.dumps(_refund()).replace(" 12,", f" {amount},").encode()

    with pytest.raises(UnreadableError):
        desk.platform.read_refund(Exchange(200, body), 2)


@pytest.mark.parametrize(
    ("amount", "minor"), [("12.5", 12_50), ("12.500", 12_50), ("1E+1", 10_00), ("0.05", 5)]
)
def test_an_amount_counts_by_its_digits(desk: Desk, amount: str, minor: int) -> None:
    body = json.dumps(_refund()).replace(" 12,", f" {amount},").encode()

    assert desk.platform.read_refund(Exchange(200, body), 2).amount_minor == minor


def test_ids_beyond_a_float_and_unknown_words_are_kept_as_they_are(desk: Desk) -> None:
    read: Callable[..., Any] = lambda **c: desk.platform.read_refund(  # noqa: E731  short
        Exchange(200, json.dumps(_refund(**c)).encode()), 2
    )

    assert read().ref == 2**53 + 1
    assert read(status="IN_ORBIT").verdict is Verdict.UNCLEAR
    assert read().amount_minor == int(Decimal(12) * 100)
