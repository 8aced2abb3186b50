"""The seam to the network, over real sockets: every way a request can go, and never an exception."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from payouts.core.errors import InvariantError
from payouts.core.outcomes import Answer, Failure, of_failure
from payouts.providers import client as module
from payouts.providers.client import BODY_MAX, Client, Exchange, Permit, Request, Timeouts
from payouts.providers.client import failure_of as failure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path
    from typing import TypeAlias

    Reader: TypeAlias = asyncio.StreamReader
    Writer: TypeAlias = asyncio.StreamWriter
    Act: TypeAlias = Callable[[Reader, Writer], Awaitable[None]]

QUICK = Timeouts(connect=2.0, write=2.0, read=0.3, pool=0.2, overall=1.0)
PAY = Request("POST", "/payments", body=b"{}", moves_money=True)
LOOK = Request("GET", "/payments/1")


def permit(send_by: float = float("inf")) -> Permit:
    return Permit(1, 1, send_by)


def reply(body: bytes, *headers: str, status: str = "200 OK", length: bool = True) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers]
    lines += [f"Content-Length: {len(body)}"] if length else ["Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Peer:
    """A server that reads a request and then does what a test says."""

    act: Act
    requests: list[bytes] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    plain: bytes = b""
    """Said before anything was asked, as a peer without TLS does to one that begins it."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: Reader, writer: Writer) -> None:
        writer.write(self.plain)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            self.asked.set()
            await self.act(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(peer: Peer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.gather(
            *(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True
        )


def talking(url: str, timeouts: Timeouts = QUICK, connections: int = 4) -> Client:
    return Client(url, headers={"X-Test": "1"}, connections=connections, timeouts=timeouts)


def one_exchange(
    act: Act,
    request: Request = PAY,
    timeouts: Timeouts = QUICK,
) -> tuple[Exchange, Peer]:
    async def go() -> tuple[Exchange, Peer]:
        async with serving(Peer(act)) as peer, talking(peer.url, timeouts) as client:
            return await client.send(request, permit()), peer

    return asyncio.run(go())


def saying(data: bytes) -> Act:
    async def act(_: Reader, writer: Writer) -> None:
        writer.write(data)
        await writer.drain()

    return act


async def hang(_reader: Reader, _writer: Writer) -> None:
    await asyncio.sleep(30)


async def reset(_reader: Reader, writer: Writer) -> None:
    writer.transport.abort()


# -- replies ------------------------------------------------------------------------------------


def test_a_reply_is_a_value_with_its_status_and_bytes() -> None:
    exchange, peer = one_exchange(saying(reply(b'{"a": 1}', "Retry-After: 7", status="429 X")))

    assert exchange == Exchange(429, b'{"a": 1}', "7")
    assert peer.requests[0].startswith(b"POST /payments HTTP/1.1\r\n")
    assert b"\r\nX-Test: 1\r\n" in peer.requests[0]


def test_a_path_is_put_behind_the_base_url() -> None:
    async def go() -> bytes:
        async with serving(Peer(saying(reply(b"")))) as peer:
            async with talking(f"{peer.url}/orkesta/v1") as client:
                await client.send(LOOK)
            return peer.requests[0]

    assert asyncio.run(go()).startswith(b"GET /orkesta/v1/payments/1 HTTP/1.1\r\n")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    """It would carry money and credentials to another host."""
    moved = reply(b"", "Location: http://127.0.0.1:9/elsewhere", status=f"{status} Moved")

    exchange, peer = one_exchange(saying(moved))

    assert exchange.status == status
    assert exchange.failure is None
    assert len(peer.requests) == 1


def test_a_body_that_ends_early_without_a_length_looks_like_a_whole_reply() -> None:
    """So the reader of JSON, not the client, has to notice: RELIABILITY §3."""
    exchange, _ = one_exchange(saying(reply(b'[{"id": "pay_1", "sta', length=False)))

    assert exchange == Exchange(200, b'[{"id": "pay_1", "sta')


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    exchange, _ = one_exchange(saying(reply(b"{}")))

    assert exchange.status == 200


# -- failures -----------------------------------------------------------------------------------


def test_a_refused_connection_sent_nothing() -> None:
    async def go() -> Exchange:
        async with serving(Peer(hang)) as peer:
            url = peer.url
        async with talking(url) as client:
            return await client.send(PAY, permit())

    assert asyncio.run(go()).failure is Failure.NOT_CONNECTED


def test_a_name_that_nobody_has_sent_nothing() -> None:
    async def go() -> Exchange:
        async with talking("http://nobody.invalid") as client:
            return await client.send(PAY, permit())

    exchange = asyncio.run(go())

    assert exchange.failure is Failure.NOT_CONNECTED
    assert exchange.detail == "ConnectError"


BROKEN = {
    "reset after it was read": (reset, Failure.READ_BROKEN),
    "closed without a word": (saying(b""), Failure.READ_BROKEN),
    "no HTTP at all": (saying(b"220 mail.example.com ESMTP\r\n"), Failure.READ_BROKEN),
    "cut before its stated length": (
        saying(reply(b"x" * 10).replace(b"h: 10", b"h: 99")),
        Failure.READ_BROKEN,
    ),
    "cut in the middle of a chunk": (
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n[{"),
        Failure.READ_BROKEN,
    ),
    "called gzip and is none": (
        saying(reply(b"plain", "Content-Encoding: gzip")),
        Failure.READ_BROKEN,
    ),
    "no answer": (hang, Failure.READ_TIMEOUT),
}


@pytest.mark.parametrize(("act", "failure"), BROKEN.values(), ids=list(BROKEN))
def test_an_answer_that_breaks_is_unclear(act: Act, failure: Failure) -> None:
    """The request was read, so the payment may have been made."""
    exchange, peer = one_exchange(act)

    assert exchange.failure is failure
    assert exchange.status == 0
    assert of_failure(failure) is Answer.UNCLEAR
    assert len(peer.requests) == 1, "and it was not sent again by itself"


def test_a_dripping_answer_ends_at_the_deadline() -> None:
    """Each drop comes within the read time-out: only a clock over the whole exchange stops it."""

    async def drip(_: Reader, writer: Writer) -> None:
        writer.write(reply(b"x" * 100)[:-100])
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)

    exchange, _ = one_exchange(drip)

    assert exchange.failure is Failure.DEADLINE
    assert of_failure(Failure.DEADLINE) is Answer.UNCLEAR


def test_slow_headers_end_at_the_deadline_too() -> None:
    async def slow(_: Reader, writer: Writer) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.1)

    exchange, _ = one_exchange(slow)

    assert exchange.failure is Failure.DEADLINE


async def _endless(_: Reader, writer: Writer) -> None:
    writer.write(reply(b"", length=False))
    while True:
        writer.write(b"x" * (1 << 20))
        await writer.drain()


def test_an_endless_body_is_given_up_after_its_bound() -> None:
    exchange, _ = one_exchange(_endless, timeouts=Timeouts())

    assert exchange.failure is Failure.TOO_LARGE
    assert exchange.body == b""
    assert of_failure(Failure.TOO_LARGE) is Answer.UNCLEAR


def test_a_body_that_unpacks_beyond_its_bound_is_given_up() -> None:
    packed = gzip.compress(bytes(BODY_MAX + (1 << 20)))

    exchange, _ = one_exchange(saying(reply(packed, "Content-Encoding: gzip")), timeouts=Timeouts())

    assert len(packed) < 100_000
    assert exchange.failure is Failure.TOO_LARGE


def test_a_request_that_is_no_http_is_ours_to_repair() -> None:
    """An unsendable header is our bug: nobody's payment fails for it."""
    odd = Request("POST", "/payments", body=b"{}", headers={"X-Key": "a\nb"}, moves_money=True)

    exchange, peer = one_exchange(saying(reply(b"{}")), odd)

    assert exchange.failure is Failure.OUR_REQUEST
    assert peer.requests == []


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:80", "http://[::1"])
def test_an_address_that_is_none_is_ours_to_repair(url: str) -> None:
    async def go() -> Failure | None:
        async with talking(url) as client:
            return (await client.send(PAY, permit())).failure

    try:
        found = asyncio.run(go())
    except httpx.InvalidURL as error:  # raised when the client is made, before any payment
        found = failure(error)

    assert found is Failure.OUR_REQUEST


def test_waiting_for_a_free_connection_sends_nothing() -> None:
    async def go() -> tuple[Exchange, int]:
        slow = Timeouts(read=5.0, pool=0.2, overall=5.0)
        async with serving(Peer(hang)) as peer, talking(peer.url, slow, connections=1) as client:
            first = asyncio.create_task(client.send(PAY, permit()))
            await peer.asked.wait()
            second = await client.send(PAY, permit())
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            return second, len(peer.requests)

    second, seen = asyncio.run(go())

    assert second.failure is Failure.NOTHING_SENT
    assert seen == 1


def test_a_cancelled_request_is_cancelled_and_leaves_no_connection() -> None:
    async def go() -> bool:
        async with serving(Peer(hang)) as peer, talking(peer.url, Timeouts()) as client:
            task = asyncio.create_task(client.send(PAY, permit()))
            await peer.asked.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return task.cancelled()

    assert asyncio.run(go())


# -- TLS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's context with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path: Path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_a_certificate_that_nobody_vouches_for_stops_the_lane(tls: ssl.SSLContext) -> None:
    """Somebody may stand between us and the platform: no money, no credentials."""

    async def go() -> tuple[Exchange, Peer]:
        peer = Peer(saying(reply(b"{}")))
        async with serving(peer, tls), talking(peer.url.replace("http", "https")) as client:
            return await client.send(PAY, permit()), peer

    exchange, peer = asyncio.run(go())

    assert exchange.failure is Failure.CERTIFICATE
    assert of_failure(Failure.CERTIFICATE) is Answer.CONFIGURATION
    assert peer.requests == []


def test_a_handshake_that_breaks_sent_nothing_and_may_be_tried_again() -> None:
    """A peer without TLS, or one that is just restarting, is no wrong certificate."""

    async def go() -> Exchange:
        peer = Peer(hang)
        peer.plain = b"HTTP/1.1 400 Bad Request\r\n\r\n"
        async with serving(peer), talking(peer.url.replace("http", "https")) as client:
            return await client.send(PAY, permit())

    exchange = asyncio.run(go())

    assert exchange.failure is Failure.NOT_CONNECTED
    assert of_failure(Failure.NOT_CONNECTED) is Answer.NOT_EXECUTED


# -- permits ------------------------------------------------------------------------------------


def test_money_does_not_move_without_a_committed_attempt() -> None:
    async def go() -> int:
        async with serving(Peer(saying(reply(b"{}")))) as peer, talking(peer.url) as client:
            with pytest.raises(InvariantError, match="no committed attempt"):
                await client.send(PAY)
            return len(peer.requests)

    assert asyncio.run(go()) == 0


def test_an_attempt_whose_time_is_over_is_abandoned_unsent() -> None:
    """P20: a worker that was frozen in between must not send what another has taken over."""

    async def go() -> tuple[Exchange, int]:
        async with serving(Peer(saying(reply(b"{}")))) as peer, talking(peer.url) as client:
            return await client.send(PAY, permit(send_by=0.0)), len(peer.requests)

    exchange, seen = asyncio.run(go())

    assert exchange.failure is Failure.SEND_BY_PASSED
    assert of_failure(Failure.SEND_BY_PASSED) is Answer.NOT_EXECUTED
    assert seen == 0


def test_reading_needs_no_permit() -> None:
    exchange, _ = one_exchange(saying(reply(b"{}")), LOOK)

    assert exchange.status == 200


# -- the table ----------------------------------------------------------------------------------


def tree(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for below in kind.__subclasses__():
        yield from tree(below)


ROOTS = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError)
TREE = [kind for root in ROOTS for kind in tree(root) if kind.__module__.startswith("httpx")]
LEAVES = [kind for kind in TREE if not kind.__subclasses__()]
NEVER_RAISED = {httpx.HTTPStatusError}


def test_all_errors_that_httpx_has_come_from_the_known_roots() -> None:
    public = {
        value
        for value in vars(httpx).values()
        if isinstance(value, type) and issubclass(value, Exception)
    }

    assert public <= set(TREE), "httpx has a new family of errors: give it an outcome"


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_every_error_of_httpx_has_an_outcome_of_its_own(kind: type[Exception]) -> None:
    """An error that nobody thought of would be unclear, which is safe, but never on purpose."""
    if kind not in NEVER_RAISED:
        assert [row for row, _ in module._TABLE if issubclass(kind, row)]  # noqa: SLF001  the table is what is tested
    assert kind.__name__ in (module.__doc__ or "") or kind.__mro__[1] is httpx.StreamError


def test_the_table_is_the_one_that_is_drawn() -> None:
    drawing = (module.__doc__ or "").split("```")[1]
    for kind, outcome in module._TABLE:  # noqa: SLF001  the same
        (line,) = [line for line in drawing.splitlines() if kind.__name__ in line.split("(")[0]]
        assert outcome.value in line, kind.__name__


@pytest.mark.parametrize("error", [ValueError("?"), OSError("?"), httpx.TransportError("?")])
def test_an_error_that_nobody_thought_of_is_unclear(error: Exception) -> None:
    assert of_failure(failure(error)) is Answer.UNCLEAR
