"""The receiver: what is verified is stored before it is answered, and nothing else is stored."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from starlette.routing import Route

from payouts.store.engine import Database
from payouts.vault import Sealed, Vault
from payouts.web.bodies import BODY_MAX
from payouts.web.receiver import OPEN_ROUTES, make_app
from payouts.web.server import LOOPBACK, bound, serving
from tests.web.conftest import ANSWERS, doors
from tests.web.sender import Sender, orkesta_event, orkestra_note, signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.store import embedded

EVENT = orkesta_event(1, "settled", "pay_1")


def rows(database: Database) -> list[tuple[Any, ...]]:
    with database.reading() as connection:
        found = connection.execute(
            text("SELECT provider, event_id, bytes, state FROM webhook_inbox ORDER BY id")
        )
        return [tuple(row) for row in found]


@pytest.fixture(autouse=True)
def empty(database: Database) -> None:
    """Each test begins with an empty inbox; the guards do not let a row go otherwise."""
    with database.unit() as unit:
        unit.execute(text("ALTER TABLE webhook_inbox DISABLE TRIGGER USER"))
        unit.execute(text("TRUNCATE webhook_inbox"))
        unit.execute(text("ALTER TABLE webhook_inbox ENABLE TRIGGER USER"))
        unit.execute(text("DELETE FROM procrastinate_jobs"))


TAKEN = [
    ("orkesta", EVENT, "evt_1"),
    ("orkesta", b'{"type": "payment.failed", "data": {"id": "pay_9"}}', "payment.failed pay_9"),
    ("orkestra", orkestra_note(7, "PAID", "P"), "sha256:"),
    ("orkesta", b'{"type": 5}', "sha256:"),  # what cannot be read is kept too
]


@pytest.mark.parametrize(("provider", "raw", "event_id"), TAKEN)
def test_what_is_verified_is_stored_once_and_answered_as_the_platform_wants(
    sender: Sender, database: Database, provider: str, raw: bytes, event_id: str
) -> None:
    answers = [sender.post(provider, raw) for _ in range(3)]

    assert answers == [(ANSWERS[provider], b"")] * 3
    ((name, found, size, state),) = rows(database)
    assert (name, size, state) == (provider, len(raw), "new")
    assert found.startswith(event_id)
    with database.reading() as connection:
        jobs = connection.execute(text("SELECT task_name FROM procrastinate_jobs")).scalars()
        assert list(jobs) == ["payouts.apply_inbox"]


def test_a_body_is_unreadable_at_rest_and_opens_with_the_vault(
    sender: Sender, database: Database
) -> None:
    """It may name the payee and the account."""
    raw = orkesta_event(1, "settled", "pay_1", to_account="acc_secret")

    sender.post("orkesta", raw)

    with database.reading() as connection:
        key, *sealed = connection.execute(
            text("SELECT id, key_id, data_key, body FROM webhook_inbox")
        ).one()
    assert b"acc_secret" not in bytes(sealed[2])
    assert Vault(b"v" * 32).open(-key, Sealed(*sealed)) == raw


def test_a_stored_webhook_cannot_be_changed_or_taken_away(
    sender: Sender, database: Database
) -> None:
    """A replay years later must still find it (P11)."""
    sender.post("orkesta", EVENT)

    for statement in (
        "UPDATE webhook_inbox SET event_id = 'other'",
        "UPDATE webhook_inbox SET keep_until = payouts_now()",
        "DELETE FROM webhook_inbox",
        "TRUNCATE webhook_inbox",
    ):
        with pytest.raises(IntegrityError), database.unit() as unit:
            unit.execute(text(statement))
    with database.reading() as connection:
        kept = connection.execute(
            text("SELECT extract(day FROM keep_until - received_at) FROM webhook_inbox")
        ).scalar_one()
    assert kept >= 400


FORGED = {
    "no signature": {},
    "another secret": {"X-Signature-256": "0" * 64},
    "no hexadecimal": {"X-Signature-256": "sha256=" + "z" * 64},
    "long": {"X-Signature-256": "0" * 4_000},
    "of another body": signed("orkesta", EVENT + b" "),
    "of another platform": signed("orkestra", EVENT),
    "not ascii": {"X-Signature-256": "\xe9" * 64},
}


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_whatever_is_wrong_with_a_signature_is_one_plain_401(
    sender: Sender, database: Database, headers: dict[str, str]
) -> None:
    assert sender.post("orkesta", EVENT, headers) == (401, b"unauthorized\n")
    assert rows(database) == []


ALTERED = {
    "re-serialised": json.dumps(json.loads(EVENT), indent=1).encode(),
    "sorted": json.dumps(json.loads(EVENT), sort_keys=True).encode(),
    "another amount": EVENT.replace(b"1050", b"9050"),
    "a space more": EVENT + b" ",
    "cut": EVENT[:-1],
    "empty": b"",
    "no JSON either": b"<html>",
}


@pytest.mark.parametrize("raw", ALTERED.values(), ids=ALTERED)
def test_other_bytes_under_a_true_signature_are_refused(
    sender: Sender, database: Database, raw: bytes
) -> None:
    assert sender.post("orkesta", raw, signed("orkesta", EVENT)) == (401, b"unauthorized\n")
    assert rows(database) == []


def test_a_true_webhook_at_another_platforms_door_is_refused(
    sender: Sender, database: Database
) -> None:
    given = signed("orkesta", EVENT)

    assert sender.post("orkestra", EVENT, given) == (401, b"unauthorized\n")
    assert sender.post("unheard", EVENT, given) == (404, b"not found\n")
    assert sender.post("orkesta/x", EVENT, given) == (404, b"not found\n")
    assert sender.post("orkesta/", EVENT, given, path="/webhooks/orkesta/")[0] == 404
    assert rows(database) == []


LOOSE = {
    "duplicate keys": b'{"id": "evt_1", "id": "evt_2"}',
    "deep duplicate keys": b'{"data": {"a": [{"x": 1, "x": 2}]}}',
    "NaN": b'{"amount": NaN}',
    "infinity": b'{"amount": -Infinity}',
    "deep": b"[" * 60_000 + b"",
    "deep and closed": b'{"a":' * 40 + b"1" + b"}" * 40,
    "huge integer": b'{"amount": ' + b"9" * 10_000 + b"}",
    "beyond 64 bits": b'{"amount": 9223372036854775808}',
    "huge exponent": b'{"amount": 1e9999999999999999999}',
    "cut": b'{"id": "evt_1"',
    "two texts": b"{} {}",
    "empty": b"",
    "not UTF-8": b'{"id": "\xff"}',
    "byte order mark": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("raw", LOOSE.values(), ids=LOOSE)
def test_a_signed_body_that_two_readers_could_read_differently_is_refused(
    sender: Sender, database: Database, raw: bytes
) -> None:
    assert sender.post("orkesta", raw) == (400, b"bad request\n")
    assert rows(database) == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"])
def test_a_webhook_is_posted_or_it_is_none(sender: Sender, method: str) -> None:
    assert sender.post("orkesta", b"", {}, method=method)[0] == 405


def test_a_body_of_64_kb_is_taken_and_one_byte_more_is_not(
    sender: Sender, database: Database
) -> None:
    fits = EVENT + b" " * (BODY_MAX - len(EVENT))

    assert sender.post("orkesta", fits + b" ") == (413, b"too large\n")
    assert rows(database) == []
    assert sender.post("orkesta", fits)[0] == 200


def test_a_body_without_a_length_is_counted_while_it_streams(
    sender: Sender, database: Database
) -> None:
    """Whoever does not say how much comes must not be able to fill our memory."""
    where = urlsplit(sender.base)
    with socket.create_connection((where.hostname, where.port), timeout=10) as line:
        line.sendall(
            b"POST /webhooks/orkesta HTTP/1.1\r\nHost: localhost\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        sent = 0
        try:
            while sent < 64 * BODY_MAX:
                line.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
                sent += 0x4000
            answer = line.recv(100)
        except OSError:  # it hung up on us in mid-sentence
            answer = b"HTTP/1.1 413"

    assert answer.startswith(b"HTTP/1.1 413")
    assert sent < 64 * BODY_MAX or answer
    assert rows(database) == []


def test_a_body_that_announces_itself_as_too_large_is_not_waited_for(sender: Sender) -> None:
    where = urlsplit(sender.base)
    with socket.create_connection((where.hostname, where.port), timeout=5) as line:
        head = (
            f"POST /webhooks/orkesta HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BODY_MAX + 1}"
        )
        line.sendall(f"{head}\r\n\r\n".encode())
        assert line.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_ends_too_early_is_no_body(sender: Sender, database: Database) -> None:
    where = urlsplit(sender.base)
    headers = "".join(f"{name}: {value}\r\n" for name, value in signed("orkesta", EVENT).items())
    with socket.create_connection((where.hostname, where.port), timeout=10) as line:
        head = f"POST /webhooks/orkesta HTTP/1.1\r\nHost: localhost\r\n{headers}"
        line.sendall(f"{head}Content-Length: {len(EVENT) + 1}\r\n\r\n".encode() + EVENT)

    assert sender.post("orkesta", b"", {}, method="GET", path="/healthz") == (200, b"")
    assert rows(database) == []


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 401),
        ("LOCALHOST:99", 401),
        ("[::1]:8321", 401),
        ("pay.example.com", 401),
        ("evil.example", 400),
        ("pay.example.com.evil.example", 400),
        ("127.0.0.1.evil.example:80", 400),
        ("", 400),
    ],
)
def test_only_our_own_names_are_listened_to(sender: Sender, host: str, status: int) -> None:
    """A page in a browser can reach 127.0.0.1 by a name of its own."""
    assert sender.post("orkesta", EVENT, {"Host": host})[0] == status


def test_every_route_is_known_and_says_why_it_is_open(database: Database) -> None:
    app = make_app(database, Vault(b"v" * 32), doors(), hosts=LOOPBACK)

    found = {route.path: route.methods for route in app.routes if isinstance(route, Route)}

    assert len(app.routes) == len(found)
    assert found.keys() == OPEN_ROUTES.keys()
    assert found["/webhooks/{provider}"] == {"POST"}
    assert found["/healthz"] == {"GET", "HEAD"}


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/redoc", "/openapi.json", "/webhooks", "/healthz/"]
)
def test_there_is_nothing_else(sender: Sender, path: str) -> None:
    assert sender.post("orkesta", b"", {}, method="GET", path=path) == (404, b"not found\n")


def test_the_same_event_at_two_receivers_at_once_is_one_row(
    sender: Sender, database: Database
) -> None:
    app = make_app(database, Vault(b"v" * 32), doors(), hosts=LOOPBACK)
    answers: list[int] = []
    with serving(app, bound("127.0.0.1", 0)) as base:
        others = [sender, Sender(base)] * 8
        threads = [
            threading.Thread(target=lambda one=one: answers.append(one.post("orkesta", EVENT)[0]))
            for one in others
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert answers == [200] * len(others)
    assert [row[1] for row in rows(database)] == ["evt_1"]


def test_another_content_under_a_known_id_is_kept_as_well(
    sender: Sender, database: Database
) -> None:
    """Dropping it could drop the one event that says where a lost payment is."""
    other = EVENT.replace(b"pay_1", b"pay_2")

    assert sender.sends("orkesta", EVENT, other, other, EVENT) == [200] * 4

    kept = [row[1] for row in rows(database)]
    assert kept[0] == "evt_1"
    assert len(kept) == 2
    with database.reading() as connection:
        codes = connection.execute(text("SELECT code, times FROM incident")).all()
    assert [tuple(row) for row in codes] == [("W_WEBHOOK_ID_REUSED", 1)]


def test_while_the_database_is_away_the_platform_is_told_to_come_again(
    postgres: embedded.Server, make_database: Callable[..., str], payouts_template: str
) -> None:
    """What is answered by 2xx the platform forgets."""
    name = make_database("away", template=payouts_template)
    database = Database.from_args(postgres.connect_args(name))
    app = make_app(database, Vault(b"v" * 32), doors(), hosts=LOOPBACK)
    with serving(app, bound("127.0.0.1", 0)) as base:
        away = Sender(base)
        _shut(postgres, name, "ALTER DATABASE {} ALLOW_CONNECTIONS false")
        assert away.post("orkesta", EVENT) == (503, b"try again later\n")
        assert away.post("orkesta", b"", {}, method="GET", path="/healthz")[0] == 503
        _shut(postgres, name, "ALTER DATABASE {} ALLOW_CONNECTIONS true")
        assert away.post("orkesta", EVENT)[0] == 200
    assert [row[1] for row in rows(database)] == ["evt_1"]
    database.dispose()


def test_a_database_that_is_too_slow_is_not_waited_for_and_stores_it_once_all_the_same(
    database: Database,
) -> None:
    """What is committed after the 503 is found by the redelivery."""
    app = make_app(database, Vault(b"v" * 32), doors(), hosts=LOOPBACK, wait_s=0.3)
    with serving(app, bound("127.0.0.1", 0)) as base:
        slow = Sender(base)
        with database.unit() as unit:
            unit.execute(text("LOCK TABLE webhook_inbox IN ACCESS EXCLUSIVE MODE"))
            assert slow.post("orkesta", EVENT) == (503, b"try again later\n")
        end = time.monotonic() + 10
        while not rows(database) and time.monotonic() < end:
            time.sleep(0.02)
        assert slow.post("orkesta", EVENT)[0] == 200

    assert [row[1] for row in rows(database)] == ["evt_1"]


def _shut(postgres: embedded.Server, name: str, statement: str) -> None:
    from psycopg import sql  # noqa: PLC0415  this alone speaks to the server

    with postgres.connect("postgres", autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )


@pytest.mark.parametrize(
    "said",
    [b"", b"POST /webhooks/orkesta HT", b"POST /webhooks/orkesta HTTP/1.1\r\nHost: localhost\r\n"],
)
def test_a_connection_ends_whatever_it_does_not_say(database: Database, said: bytes) -> None:
    """Otherwise a few hundred silent ones would keep everybody out."""
    app = make_app(database, Vault(b"v" * 32), doors(), hosts=LOOPBACK)
    with serving(app, bound("127.0.0.1", 0), life_s=0.2) as base:
        where = urlsplit(base)
        with socket.create_connection((where.hostname, where.port), timeout=10) as line:
            line.sendall(said)
            assert line.recv(100) == b""
        assert Sender(base).post("orkesta", EVENT)[0] == 200


def test_who_is_slow_or_silent_does_not_keep_others_waiting(sender: Sender) -> None:
    where = urlsplit(sender.base)
    lines = [socket.create_connection((where.hostname, where.port)) for _ in range(20)]
    for line in lines[::2]:
        line.sendall(b"POST /webhooks/orkesta HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n")
    begun = time.monotonic()

    status, _ = sender.post("orkesta", EVENT)

    assert status == 200
    assert time.monotonic() - begun < 8
    for line in lines:
        line.close()
