"""Orchestra: operations on cards and tokens, over a real socket, with every kind of answer."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from payouts import local
from payouts.core.errors import InvariantError, UsageError, VaultAwayError
from payouts.core.outcomes import Answer, Failure, Verdict
from payouts.providers.calls import Calls
from payouts.providers.client import Client, Exchange, Permit, Timeouts, clock
from payouts.providers.orchestra import (
    PAYLOAD_MAX,
    Account,
    Card,
    Operation,
    Orchestra,
    Result,
)
from payouts.providers.strict import UnreadableError
from payouts.providers.tokens import StringTokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from payouts.providers.client import Request

NUMBER = "4242424242424242"
CARD = Card(NUMBER, "Ada Lovelace", 12, 2030)
WIRE = "P" + "B" * 31
OFFLINE = Orchestra("https://orchestra.invalid", api_key="secret-key")


def operation(wire: str = WIRE, minor: int = 10_23, **changes: Any) -> Operation:  # noqa: ANN401  its fields
    return replace(Operation(wire, minor, "EUR", 2, CARD, Account("NULLSuccess")), **changes)


def permit() -> Permit:
    return Permit(1, 1, clock() + 10)


@dataclass
class Live:
    """The connector with the sandbox behind it."""

    folder: Path
    platform: Orchestra
    call: Calls

    def send(self, request: Request) -> Exchange:
        return self.call(request, permit() if request.moves_money else None)

    def control(self, path: str, document: object) -> None:
        url = (self.folder / "control").read_text()
        httpx.post(f"{url}/_control/{path}", json=document, trust_env=False).raise_for_status()

    def truth(self, wire: str) -> int:
        """How often an operation of a reference really happened."""
        lines = (self.folder / "truth.jsonl").read_text().splitlines()
        return sum(json.loads(line).get("reference") == wire for line in lines)


@pytest.fixture(scope="module")
def _started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("sandbox")
    with local.sandbox_running(folder) as url:
        platform = Orchestra(f"{url}/orchestra", api_key="sandbox-orchestra")
        timeouts = Timeouts(read=2.0, overall=3.0)
        yield Live(folder, platform, Calls(platform.base_url, platform.headers, timeouts))


@pytest.fixture
def live(_started: Live) -> Iterator[Live]:
    yield _started
    _started.control("faults", [])
    _started.control("settings", {"empty_401": False, "payload_name": "clearPayload"})


def test_a_charge_is_written_as_the_specification_has_it() -> None:
    """Amounts in major units, digit by digit; our reference is always there (PROVIDERS 3.10)."""
    request = OFFLINE.charge(operation(minor=10**15 - 1))

    assert (request.method, request.path, request.moves_money) == (
        "POST",
        "/PaymentGateway/charge",
        True,
    )
    assert json.loads(request.body or b"", parse_float=Decimal) == {
        "amount": Decimal("9999999999999.99"),
        "currency": "EUR",
        "card": {
            "cardNumber": NUMBER,
            "cardHolderName": "Ada Lovelace",
            "expirationMonth": 12,
            "expirationYear": 2030,
        },
        "myRef": WIRE,
        "paymentGatewayAccount": {"paymentGatewayName": "NULLSuccess", "credentials": []},
    }


@pytest.mark.parametrize(
    ("word", "method", "follows"),
    [
        ("charge", "POST", False),
        ("authorize", "POST", False),
        ("capture", "PUT", True),
        ("refund", "PUT", True),
        ("void", "DELETE", True),
    ],
)
def test_each_operation_has_its_method_and_what_it_is_about(
    word: str,
    method: str,
    follows: bool,  # noqa: FBT001  a column of the table
) -> None:
    make = getattr(OFFLINE, word)
    request = make(operation(of="gw_1" if follows else None, account="main"))

    body = json.loads(request.body)
    assert (request.method, request.path) == (method, f"/PaymentGateway/{word}")
    assert request.moves_money
    assert body.get("refTransId") == ("gw_1" if follows else None)
    assert body["paymentGatewayAccountName"] == "main"
    with pytest.raises(UsageError):
        make(operation(of=None if follows else "gw_1"))


def test_nothing_moves_money_without_an_attempt(live: Live) -> None:
    """P4."""
    with pytest.raises(InvariantError):
        live.call(live.platform.charge(operation("unsent")))

    assert live.truth("unsent") == 0


def test_cards_keys_and_credentials_are_not_shown() -> None:
    account = Account("Stripe", {"SecretKey": "sk_live"})
    wanted = operation(account=account)
    shown = repr((OFFLINE, wanted, OFFLINE.charge(wanted), StringTokens(OFFLINE, Calls("x", {}))))

    for secret in (NUMBER, "Lovelace", "sk_live", "secret-key"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, Answer.READABLE),
        (202, Answer.READABLE),
        (400, Answer.REJECTED),
        (409, Answer.UNCLEAR),
        (401, Answer.CONFIGURATION),
        (404, Answer.CONFIGURATION),
        (429, Answer.NOT_EXECUTED),
        (503, Answer.NOT_EXECUTED),
        (500, Answer.UNCLEAR),
        (502, Answer.UNCLEAR),
        (504, Answer.UNCLEAR),
    ],
)
def test_a_status_has_its_class(status: int, answer: Answer) -> None:
    """503 is proof that nothing was executed here and nowhere else (A-ALL-1)."""
    assert OFFLINE.answer(Exchange(status)) is answer


@pytest.mark.parametrize(
    ("gateway", "answer", "verdict"),
    [
        ("NULLSuccess", Answer.READABLE, Verdict.SETTLED),
        ("NULLLater", Answer.READABLE, Verdict.PROCESSING),
        ("NULLFailure", Answer.REJECTED, Verdict.REJECTED),
        ("NULLUnable", Answer.REJECTED, Verdict.REJECTED),
        ("NULLTemporary", Answer.NOT_EXECUTED, None),
        ("NULLFatal", Answer.UNCLEAR, None),
    ],
)
def test_each_result_is_read_as_what_it_proves(
    live: Live, gateway: str, answer: Answer, verdict: Verdict | None
) -> None:
    """A-ORC-1. A fatal failure is a 500: it may have been executed, whatever its body says."""
    wanted = operation(account=Account(gateway))

    exchange = live.send(live.platform.charge(wanted))

    assert live.platform.answer(exchange) is answer
    if verdict is not None:
        assert live.platform.read(exchange, wanted).verdict is verdict


def result(**changes: object) -> bytes:
    made = {
        "operationResultCode": "Success",
        "operationType": "Charge",
        "gatewayReference": "gw_1",
        "amount": 10.23,
        "currency": "EUR",
    } | changes
    return json.dumps({name: value for name, value in made.items() if value is not ...}).encode()


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.SETTLED),
        ({"operationResultCode": "Accepted"}, Verdict.PROCESSING),
        ({"operationResultCode": "FatalFailure"}, Verdict.REJECTED),
        ({"operationResultCode": "TemporaryFailure"}, Verdict.NOT_EXECUTED),
        ({"operationResultCode": "Great"}, Verdict.UNCLEAR),
        ({"operationResultCode": None}, Verdict.UNCLEAR),
        ({"amount": 10.24}, Verdict.MISMATCH),
        ({"amount": "10.23"}, Verdict.MISMATCH),
        ({"amount": True}, Verdict.MISMATCH),
        ({"currency": "USD"}, Verdict.MISMATCH),
        ({"amount": None, "currency": None}, Verdict.SETTLED),
        ({"gatewayReference": None}, Verdict.UNCLEAR),
    ],
)
def test_a_body_says_no_more_than_it_shows(changes: dict[str, object], verdict: Verdict) -> None:
    assert OFFLINE.read(Exchange(202, result(**changes)), operation()).verdict is verdict


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b'{"operationResultCode": "Succ'])
def test_a_success_that_cannot_be_read_is_none(raw: bytes) -> None:
    with pytest.raises(UnreadableError):
        OFFLINE.read(Exchange(202, raw), operation())


@pytest.mark.parametrize(
    ("status", "raw", "code"),
    [
        (400, b'{"fieldName": "card.cardNumber", "errors": ["bad"]}', "card.cardNumber"),
        (
            409,
            b'{"operationResultCode": "Rejected", "operationResultDescription": "declined"}',
            "declined",
        ),
        (409, b'{"operationResultCode": "NotImplemented"}', "http_409"),
        (400, b"<html>", "http_400"),
    ],
)
def test_a_refusal_says_why_where_it_has_a_body(status: int, raw: bytes, code: str) -> None:
    read = OFFLINE.read(Exchange(status, raw), operation())

    assert (read.verdict, read.code) == (Verdict.REJECTED, code)


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b'{"error": "in progress"}'])
def test_a_conflict_that_says_nothing_is_unclear(raw: bytes) -> None:
    """Somebody on the way may have said it, of a request that is still at work."""
    assert OFFLINE.answer(Exchange(409, raw)) is Answer.UNCLEAR


def test_money_is_held_taken_and_given_back_in_parts(live: Live) -> None:
    platform = live.platform

    def done(word: str, **changes: Any) -> Result:  # noqa: ANN401  fields of Operation
        wanted = operation(f"life-{word}", **changes)
        return platform.read(live.send(getattr(platform, word)(wanted)), wanted)

    held = done("authorize")
    taken = done("capture", of=held.ref, minor=10_00)
    given = [done("refund", of=taken.ref, minor=minor).verdict for minor in (4_00, 6_01, 6_00)]

    assert (held.verdict, taken.verdict) == (Verdict.SETTLED, Verdict.SETTLED)
    assert given == [Verdict.SETTLED, Verdict.REJECTED, Verdict.SETTLED]


def test_what_was_held_is_let_go_by_a_delete_with_a_body(live: Live) -> None:
    held = operation("held")
    ref = live.platform.read(live.send(live.platform.authorize(held)), held).ref
    wanted = operation("void", of=ref)

    first = live.platform.read(live.send(live.platform.void(wanted)), wanted)
    again = live.platform.read(live.send(live.platform.void(wanted)), wanted)

    assert (first.verdict, again.verdict) == (Verdict.SETTLED, Verdict.REJECTED)


def test_a_card_is_tokenised_and_charged_by_its_token(live: Live) -> None:
    platform = live.platform
    kept = StringTokens(platform, live.call).keep(NUMBER)
    card = Card(f"@{kept}", "Ada Lovelace", 12, 2030)
    wanted = operation("by-token", card=card)

    gateway = platform.read(live.send(platform.tokenize(CARD, Account("NULLSuccess"))))
    charged = platform.read(live.send(platform.charge(wanted)), wanted)

    assert gateway.token
    assert charged.verdict is Verdict.SETTLED


@pytest.mark.parametrize("fault", ["effect_then_reset", "error_after_effect", "effect_then_hang"])
def test_an_answer_that_is_lost_is_found_by_our_reference_and_not_sent_again(
    live: Live, fault: str
) -> None:
    live.control("faults", [{"fault": fault, "route": "POST /orchestra/PaymentGateway/charge"}])
    wanted = operation(f"lost-{fault}")

    exchange = live.send(live.platform.charge(wanted))
    live.control("faults", [])
    answer = live.platform.answer(exchange)
    looked = live.send(live.platform.status(wanted.wire, wanted.account))
    found = live.platform.read_status(looked, wanted)

    assert answer is Answer.UNCLEAR
    assert found is not None
    assert (found.verdict, bool(found.ref)) == (Verdict.SETTLED, True)
    assert live.truth(wanted.wire) == 1


FAULTS = (
    *("accept_then_close", "reset_on_accept", "reset_before_reading", "reset_after_reading"),
    *("effect_then_close", "late_reply", "drip", "server_error", "bad_gateway", "gateway_timeout"),
    *("too_many_requests", "poison", "unauthorized", "no_funds", "forbidden", "not_found"),
    *("request_timeout", "in_progress", "locked", "too_early", "not_implemented", "duplicate"),
    *("redirect", "error_after_effect", "accepted", "no_content", "html", "malformed"),
    *("empty_body", "nan", "cut", "cut_clean", "other_amount", "other_currency"),
)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_makes_us_believe_what_is_not_so(live: Live, fault: str) -> None:
    """Not executed and rejected are proofs, paid is paid, and the rest is found by a look."""
    connection = {"accept_then_close", "reset_on_accept", "reset_before_reading"}
    route = {} if fault in connection else {"route": "POST /orchestra/PaymentGateway/charge"}
    live.control("faults", [{"fault": fault, "nth": [1], **route}])
    wanted = operation(f"fault-{fault}")

    exchange = live.send(live.platform.charge(wanted))
    live.control("faults", [])
    answer = live.platform.answer(exchange)
    charged = live.truth(wanted.wire)
    looked = live.send(live.platform.status(wanted.wire, wanted.account))
    found = live.platform.read_status(looked, wanted)

    assert charged <= 1
    assert (found is not None) == (charged == 1)
    if answer in {Answer.NOT_EXECUTED, Answer.CONFIGURATION, Answer.REJECTED}:
        assert charged == 0
    elif answer is Answer.READABLE and believed(live, exchange, wanted) is Verdict.SETTLED:
        assert charged == 1


def believed(live: Live, exchange: Exchange, wanted: Operation) -> Verdict:
    try:
        return live.platform.read(exchange, wanted).verdict
    except UnreadableError:
        return Verdict.UNCLEAR


def test_what_never_arrived_is_unknown_and_that_is_no_verdict(live: Live) -> None:
    """A-ORC-2: none is "not found", which counts only as often and as late as P5 says."""
    rule = {"fault": "reset_after_reading", "route": "POST /orchestra/PaymentGateway/charge"}
    live.control("faults", [rule])
    wanted = operation("never")

    exchange = live.send(live.platform.charge(wanted))
    live.control("faults", [])

    assert live.platform.answer(exchange) is Answer.UNCLEAR
    looked = live.send(live.platform.status("never", wanted.account))
    assert live.platform.read_status(looked, wanted) is None


def test_a_look_that_is_no_answer_gives_no_information(live: Live) -> None:
    for status in (401, 429, 500, 503):
        with pytest.raises(UnreadableError):
            live.platform.read_status(Exchange(status, b"{}"), operation())


def test_a_503_may_be_sent_again_and_is_charged_once(live: Live) -> None:
    """The one platform whose contract says so."""
    rule = {"fault": "unavailable", "route": "POST /orchestra/PaymentGateway/charge", "nth": [1]}
    live.control("faults", [rule])
    wanted = operation("again")

    answers = [live.platform.answer(live.send(live.platform.charge(wanted))) for _ in range(2)]

    assert answers == [Answer.NOT_EXECUTED, Answer.READABLE]
    assert live.truth("again") == 1


def test_an_operation_goes_through_the_client_of_lanes_as_well(live: Live) -> None:
    async def charge() -> Exchange:
        async with Client(
            live.platform.base_url, headers=live.platform.headers, connections=1
        ) as client:
            return await client.send(live.platform.charge(operation("async")), permit())

    assert live.platform.answer(asyncio.run(charge())) is Answer.READABLE


def test_an_attempt_that_is_too_late_is_not_sent(live: Live) -> None:
    """P20."""
    late = Permit(1, 1, clock() - 1)

    exchange = live.call(live.platform.charge(operation("late")), late)

    assert exchange.failure is Failure.SEND_BY_PASSED
    assert live.truth("late") == 0


def test_a_key_is_checked_with_whatever_body_its_refusal_has(live: Live) -> None:
    """A-ORC-4."""
    platform = live.platform
    whose = platform.read_key(live.send(platform.check_key()))
    assert whose is not None
    assert (whose.sandbox, whose.account) == (True, 9_007_199_254_740_993)
    wrong = Calls(platform.base_url, {"X-Api-Key": "nobody"})

    assert platform.read_key(wrong(platform.check_key())) is None
    live.control("settings", {"empty_401": True})
    assert platform.read_key(wrong(platform.check_key())) is None
    for status, raw in ((200, b"{}"), (200, b""), (500, b"{}")):
        with pytest.raises(UnreadableError):
            platform.read_key(Exchange(status, raw))


def test_gateways_and_their_accounts_are_kept(live: Live) -> None:
    platform = live.platform
    gateways = {
        one.name: one.credentials for one in platform.read_gateways(live.send(platform.gateways()))
    }
    account = Account("Stripe", {"SecretKey": "sk_1"})

    assert gateways["Stripe"] == ["SecretKey"]
    assert live.send(platform.put_account("stripe-one", account)).status == 200
    assert platform.read_accounts(live.send(platform.accounts()))["stripe-one"] == "Stripe"
    assert platform.read_account(live.send(platform.account("stripe-one"))) == account
    wanted = operation("named", account="stripe-one")
    charged = platform.read(live.send(platform.charge(wanted)), wanted)
    assert charged.verdict is Verdict.SETTLED
    assert live.send(platform.delete_account("stripe-one")).status == 200
    assert platform.read_account(live.send(platform.account("stripe-one"))) is None


def test_accounts_are_read_in_whatever_case_they_are_written() -> None:
    raw = b'{"PaymentGatewayName": "Stripe", "Credentials": [{"Key": "SecretKey", "Value": "x"}]}'

    assert OFFLINE.read_account(Exchange(200, raw)) == Account("Stripe", {"SecretKey": "x"})


@pytest.mark.parametrize("name", ["ab", "a" * 65, "a b", "ä-x", "../x", ""])
def test_a_name_that_the_platform_refuses_is_not_sent(name: str) -> None:
    with pytest.raises(UsageError):
        OFFLINE.put_account(name, Account("NULLSuccess"))


@pytest.mark.parametrize("word", ["clearPayload", "payload"])
def test_a_token_is_read_from_either_field_until_it_is_forgotten(live: Live, word: str) -> None:
    live.control("settings", {"payload_name": word})
    tokens = StringTokens(live.platform, live.call)
    token = tokens.keep("a secret")

    assert tokens.reveal(token) == "a secret"
    assert (tokens.forget(token), tokens.forget(token)) == (True, False)
    assert tokens.reveal(token) is None


@pytest.mark.parametrize("text", ["", "x" * (PAYLOAD_MAX + 1)])
def test_a_text_that_no_token_holds_is_not_sent(text: str) -> None:
    with pytest.raises(UsageError):
        OFFLINE.keep(text)


@pytest.mark.parametrize("fault", ["unavailable", "server_error", "effect_then_reset"])
def test_a_token_is_asked_for_again_where_that_may_help(live: Live, fault: str) -> None:
    live.control("faults", [{"fault": fault, "route": "POST /orchestra/StringTokens", "nth": [1]}])

    tokens = StringTokens(live.platform, live.call)

    assert tokens.reveal(tokens.keep("kept")) == "kept"


def test_a_platform_that_is_away_is_said_to_be(live: Live) -> None:
    gone = StringTokens(OFFLINE, Calls("http://127.0.0.1:9", {}, Timeouts(connect=0.5)))
    wrong = StringTokens(live.platform, Calls(live.platform.base_url, {}))

    for tokens in (gone, wrong):
        for ask in (tokens.keep, tokens.reveal, tokens.forget):
            with pytest.raises(VaultAwayError) as away:
                ask("abc")
            assert away.value.code == "E_VAULT_AWAY"
            assert away.value.hint
