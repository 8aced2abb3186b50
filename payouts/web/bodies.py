"""The body of a request, as much of it as we let in.

Bounded in size while it streams, and in time; read as JSON only after its signature was verified,
and strictly: what two readers could understand differently is refused.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import ClientDisconnect

from payouts.providers import strict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

__all__ = ["BODY_MAX", "BodyError", "is_strict", "read"]

BODY_MAX: Final = 64 * 1024
_BODY_S = 10.0
_DEPTH_MAX = 32
_INTEGER_MAX: Final = 1 << 63


class BodyError(Exception):
    """The body was not taken.

    Args:
        status: what is answered.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"answered by {status}")
        self.status = status


async def read(request: Request) -> bytes:
    """The raw body.

    Raises:
        BodyError: it is larger than 64 KB, took longer than 10 s, or ended before its end.
    """
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or len(declared) > len(str(BODY_MAX)) or int(declared) > BODY_MAX:
        raise BodyError(413)
    pieces, size = [], 0
    try:
        async with asyncio.timeout(_BODY_S):
            async for piece in request.stream():
                size += len(piece)
                if size > BODY_MAX:
                    raise BodyError(413)
                pieces.append(piece)
    except TimeoutError:
        raise BodyError(408) from None
    except ClientDisconnect:
        raise BodyError(400) from None
    return b"".join(pieces)


def is_strict(raw: bytes) -> bool:
    """Whether a body is JSON that everybody reads alike, of a depth and with numbers that are sane.

    >>> is_strict(b'{"amount": 12.50}'), is_strict(b'{"a": 1, "a": 2}'), is_strict(b'{"a": NaN}')
    (True, False, False)
    >>> is_strict(b"[" * 33 + b"]" * 33), is_strict(b"9" * 30), is_strict(b"")
    (False, False, False)
    """
    try:
        return all(depth <= _DEPTH_MAX for depth in _depths(strict.loads(raw)))
    except strict.UnreadableError:
        return False


def _depths(value: Any) -> Iterator[int]:  # noqa: ANN401  JSON is any of seven types
    """The depth of every value; a number that is beyond 64 bits is beyond every depth."""
    open_values = [(value, 1)]
    while open_values:
        one, depth = open_values.pop()
        if type(one) is int and abs(one) >= _INTEGER_MAX:
            yield _DEPTH_MAX + 1
        yield depth
        if isinstance(one, dict):
            open_values += [(below, depth + 1) for below in one.values()]
        elif isinstance(one, list):
            open_values += [(below, depth + 1) for below in one]
