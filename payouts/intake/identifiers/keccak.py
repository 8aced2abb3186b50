"""Keccak-256: the hash behind EIP-55, over many short messages of one length at once.

>>> digest = keccak256(np.frombuffer(b"abc", np.uint8).reshape(1, 3))
>>> digest.tobytes().hex()
'4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["keccak256"]

_RATE: Final = 136
_DIGEST: Final = 32
_BLOCK: Final = 8192  # measured: smaller blocks pay more for each step than the cache gives

_CONSTANTS: Final = tuple(
    np.uint64(constant)
    for constant in (
        0x0000000000000001,
        0x0000000000008082,
        0x800000000000808A,
        0x8000000080008000,
        0x000000000000808B,
        0x0000000080000001,
        0x8000000080008081,
        0x8000000000008009,
        0x000000000000008A,
        0x0000000000000088,
        0x0000000080008009,
        0x000000008000000A,
        0x000000008000808B,
        0x800000000000008B,
        0x8000000000008089,
        0x8000000000008003,
        0x8000000000008002,
        0x8000000000000080,
        0x000000000000800A,
        0x800000008000000A,
        0x8000000080008081,
        0x8000000000008080,
        0x0000000080000001,
        0x8000000080008008,
    )
)


def keccak256(messages: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The 32-byte Keccak-256 (the padding of Ethereum, not of SHA-3) of each row.

    Args:
        messages: rows of equal length, at most 135 bytes: one block of the sponge.
    """
    digests = np.empty((len(messages), _DIGEST), np.uint8)
    for start in range(0, len(messages), _BLOCK):
        rows = messages[start : start + _BLOCK]
        block = np.zeros((len(rows), _RATE), np.uint8)
        block[:, : rows.shape[1]] = rows
        block[:, rows.shape[1]] = 0x01
        block[:, -1] |= 0x80
        state = np.zeros((25, len(rows)), np.uint64)
        state[: _RATE // 8] = block.view("<u8").T
        lanes = _permuted(state)[: _DIGEST // 8]
        digests[start : start + _BLOCK] = np.ascontiguousarray(lanes.T.astype("<u8")).view(np.uint8)
    return digests


def _route() -> tuple[tuple[int, int, int], ...]:
    """Where each lane goes and how far it turns: (from, to, bits), the steps rho and pi."""
    route = [(0, 0, 0)]
    x, y = 1, 0
    for step in range(24):
        turn = (step + 1) * (step + 2) // 2 % 64
        target = (y, (2 * x + 3 * y) % 5)
        route.append((x + 5 * y, target[0] + 5 * target[1], turn))
        x, y = target
    return tuple(route)


_ROUTE: Final = _route()


def _permuted(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Keccak-f[1600]: 24 rounds of theta, rho and pi, chi, iota over lanes x + 5y."""
    moved = np.empty_like(state)
    for constant in _CONSTANTS:
        columns = np.bitwise_xor.reduce(state.reshape(5, 5, -1), axis=0)
        for x in range(5):
            state[x::5] ^= columns[(x + 4) % 5] ^ _turned(columns[(x + 1) % 5], 1)
        for source, target, turn in _ROUTE:
            moved[target] = _turned(state[source], turn)
        for row in range(0, 25, 5):
            for x in range(5):
                beyond = ~moved[row + (x + 1) % 5] & moved[row + (x + 2) % 5]
                state[row + x] = moved[row + x] ^ beyond
        state[0] ^= constant
    return state


def _turned(lane: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    """The lane rotated to the left."""
    if not bits:
        return lane
    return (lane << np.uint64(bits)) | (lane >> np.uint64(64 - bits))
