"""The server's HTTP, by raw sockets where a client would be too polite."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    from tests.sandbox.conftest import Sandbox

HEAD = b"Host: x\r\nAuthorization: Bearer sandbox-orkesta-rw\r\n"
GET = b"GET /orkesta/v1/accounts HTTP/1.1\r\n" + HEAD + b"\r\n"


def _post(body: bytes, *more: bytes) -> bytes:
    lines = [b"POST /orkesta/v1/payments/batch HTTP/1.1\r\n", HEAD, *more]
    return b"".join([*lines, b"Content-Type: application/json\r\n\r\n", body])


def _reply(connection: socket.socket, rest: bytes = b"") -> tuple[int, bytes, bytes]:
    """Read one reply: status, body, and what came after it."""
    data = rest
    while b"\r\n\r\n" not in data:
        got = connection.recv(65536)
        assert got, "the connection ended before a reply"
        data += got
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or b"0")
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split(b" ")[1]), body[:length], body[length:]


def _is_closed(connection: socket.socket) -> bool:
    return connection.recv(1) == b""


def test_a_connection_serves_many_requests(sandbox: Sandbox) -> None:
    with sandbox.connect() as connection:
        for _ in range(3):
            connection.sendall(GET)
            assert _reply(connection)[0] == 200


def test_requests_sent_ahead_are_answered_in_order(sandbox: Sandbox) -> None:
    item = json.dumps([sandbox.item("PIPE")]).encode()
    post = _post(item, b"Content-Length: %d\r\n" % len(item))

    with sandbox.connect() as connection:
        connection.sendall(GET + post + GET)
        first, accounts, rest = _reply(connection)
        second, outcomes, rest = _reply(connection, rest)
        third, _, _ = _reply(connection, rest)

    assert (first, second, third) == (200, 200, 200)
    assert json.loads(accounts)[0]["id"].startswith("acc_")
    assert json.loads(outcomes)[0]["reference"] == "PIPE"


def test_a_body_may_come_in_chunks_and_drops(sandbox: Sandbox) -> None:
    item = json.dumps([sandbox.item("CHUNK")]).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (1, item[n : n + 1]) for n in range(len(item)))

    with sandbox.connect() as connection:
        request = _post(chunks + b"0\r\n\r\n", b"Transfer-Encoding: chunked\r\n")
        for start in range(0, len(request), 100):
            connection.sendall(request[start : start + 100])
        assert _reply(connection)[0] == 200

    assert len(sandbox.effects("CHUNK")) == 1


def test_a_client_that_asks_first_is_told_to_go_on(sandbox: Sandbox) -> None:
    item = json.dumps([sandbox.item("EXPECT")]).encode()
    head = _post(b"", b"Content-Length: %d\r\n" % len(item), b"Expect: 100-continue\r\n")

    with sandbox.connect() as connection:
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(item)
        assert _reply(connection)[0] == 200


def test_connection_close_is_honoured(sandbox: Sandbox) -> None:
    with sandbox.connect() as connection:
        connection.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert _reply(connection)[0] == 200
        assert _is_closed(connection)


def test_what_is_not_http_is_400_and_the_end(sandbox: Sandbox) -> None:
    for nonsense in (b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET http://[ HTTP/1.1\r\n\r\n"):
        with sandbox.connect() as connection:
            connection.sendall(nonsense)
            assert _reply(connection)[0] == 400
            assert _is_closed(connection)


def test_a_huge_body_is_refused(sandbox: Sandbox) -> None:
    with sandbox.connect() as connection:
        connection.sendall(_post(b"", b"Content-Length: 99999999\r\n"))
        block = b"0" * 65536
        try:
            for _ in range(260):
                connection.sendall(block)
        except OSError:
            pass  # the server need not read what it has refused
        else:
            assert _reply(connection)[0] == 413


def test_a_client_that_leaves_in_the_middle_does_no_harm(sandbox: Sandbox) -> None:
    with sandbox.connect() as connection:
        connection.sendall(_post(b"[{", b"Content-Length: 1000\r\n"))
    with sandbox.connect() as connection:
        connection.sendall(GET[:20])

    assert sandbox.orkesta.get("/accounts").status_code == 200


def test_a_request_goes_on_when_its_client_has_left(sandbox: Sandbox) -> None:
    """As with any server: a time-out at the client undoes nothing."""
    sandbox.faults({"fault": "latency", "options": {"seconds": 0.2}})
    item = json.dumps([sandbox.item("LEFT")]).encode()
    with sandbox.connect() as connection:
        connection.sendall(_post(item, b"Content-Length: %d\r\n" % len(item)))

    sandbox.orkesta.get("/accounts")
    sandbox.orkesta.get("/accounts")

    assert len(sandbox.effects("LEFT")) == 1
