"""The client that sends webhooks: keep-alive, deadlines, and answers that are none."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from payouts.sandbox.post import Poster, is_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@asynccontextmanager
async def _server(answers: Callable[[int], bytes | None]) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that answers each request as told; None closes without an answer.

    Gives its address and, growing, the number of the connection that each request came on.
    """
    came: list[int] = []
    connections = 0
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        number = connections
        while (head := await reader.readuntil(b"\r\n\r\n")).startswith(b"POST /hook?a=1 HTTP/1.1"):
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            assert await reader.readexactly(length) == b"{}"
            came.append(number)
            answer = answers(len(came))
            if answer is not None:
                writer.write(answer)
            if answer is None or b"content-length" not in answer:
                break
        writer.close()

    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(reader, writer)
        writer.close()
        ended.set()

    server = await asyncio.start_server(quiet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/hook?a=1", came
    await ended.wait()
    await asyncio.sleep(0.01)  # until both ends are closed
    server.close()


def _post(answers: Callable[[int], bytes | None], times: int) -> tuple[list[object], list[int]]:
    """Post so often and give the statuses, or what was raised, and the connections."""

    async def play() -> tuple[list[object], list[int]]:
        got: list[object] = []
        poster = Poster()
        async with _server(answers) as (url, came):
            for _ in range(times):
                try:
                    got.append(await poster.post(url, (("x", "y"),), b"{}", deadline_s=0.5))
                except (TimeoutError, OSError) as error:
                    got.append(type(error))
            poster.close()
        return got, came

    return asyncio.run(play())


def test_a_connection_is_kept() -> None:
    assert _post(lambda _: OK, 3) == ([200, 200, 200], [1, 1, 1])


def test_a_connection_that_was_closed_meanwhile_is_replaced() -> None:
    """The first answer keeps it, the second request finds it closed, and is sent once more."""
    got, came = _post(lambda number: None if number == 2 else OK, 2)

    assert got == [200, 200]
    assert came == [1, 1, 2]


def test_a_connection_that_the_server_ends_is_not_kept() -> None:
    ending = b"HTTP/1.1 204 No Content\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

    assert _post(lambda _: ending, 2) == ([204, 204], [1, 2])


def test_a_body_may_end_with_its_connection() -> None:
    assert _post(lambda _: b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nfine", 1)[0] == [200]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, ConnectionResetError),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", TimeoutError),
        (b"220 smtp.example.com ESMTP content-length\r\n", ConnectionError),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n" + b"x" * 99_999, ConnectionError),
        (b"HTTP/1.1 100 Continue\r\ncontent-length: 0\r\n\r\n", TimeoutError),
    ],
)
def test_what_is_no_answer_is_an_error(answer: bytes | None, error: type[Exception]) -> None:
    assert _post(lambda _: answer, 1)[0] == [error]


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ("http://127.0.0.1:80/x", True),
        ("https://pay.example.com/hooks?x=1", True),
        ("http://", False),
        ("http://a b/", False),
        ("http://ü.example/", False),
        ("http://x:99999/", False),
        ("file:///etc/x", False),
        (5, False),
    ],
)
def test_an_address_is_http_with_a_host(value: object, is_one: bool) -> None:  # noqa: FBT001  a table
    assert is_url(value) is is_one
