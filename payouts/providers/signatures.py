"""Signatures of webhooks: whether a platform sent these very bytes.

A *verifier* is asked with the headers as they came and the raw body, before anything is parsed. It
never raises and never says why: a missing, doubled, huge or garbled header, bad hexadecimal, bytes
that are no ASCII and a wrong secret are all the same `False`. Every active secret is compared, each
in constant time, so that neither a secret nor its place in the list shows in the time it takes.

>>> signed = HmacHeader("X-Signature-256", ["old", "new"])
>>> good = hmac.digest(b"new", b"{}", "sha256").hex().encode()
>>> signed([(b"x-signature-256", b"sha256=" + good)], b"{}")
True
>>> signed([(b"x-signature-256", good)], b"{ }"), signed([], b"{}")
(False, False)
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Final, TypeAlias

from payouts.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["BasicUsers", "Headers", "HmacHeader", "TimedHmac", "Verifier", "time_is_near"]

Headers: TypeAlias = "Sequence[tuple[bytes, bytes]]"
"""Names in lower case and values, as they came, with repetitions."""
Verifier: TypeAlias = "Callable[[Headers, bytes], bool]"

NEAR_S: Final = 300
"""How far a signed time may be from ours, to either side (RELIABILITY §7)."""

_HEADER_MAX = 1024
_HEX = re.compile(rb"(?:sha256=)?([0-9a-fA-F]{64})")
_SECONDS = re.compile(rb"[0-9]{1,12}")
_BASIC = re.compile(rb"[Bb][Aa][Ss][Ii][Cc] +([A-Za-z0-9+/]+={0,2})")


class HmacHeader:
    """HMAC-SHA256 of the raw body in hexadecimal, with or without `sha256=` (A-OKS-6, A-ORT-3).

    Args:
        header: its name; the case does not matter.
        secrets: all that are active; during a change of secrets two.

    Raises:
        SettingsError: a secret is empty, so that anybody could sign.
    """

    def __init__(self, header: str, secrets: Sequence[str]) -> None:
        self._header = _name(header)
        self._secrets = _keys(secrets)

    def __repr__(self) -> str:
        return f"HmacHeader({self._header.decode()!r}, {len(self._secrets)} secrets)"

    def __call__(self, headers: Headers, raw: bytes) -> bool:
        """Whether one of the secrets signed `raw`."""
        given = _HEX.fullmatch(_only(headers, self._header))
        return given is not None and _signed(raw, given[1], self._secrets)


class TimedHmac:
    """HMAC-SHA256 of `time.body`, where the time is signed too and has to be near ours.

    No platform of today documents such a scheme; a signature that is replayed years later is
    stopped by the inbox, this one also without it.

    Args:
        signature: the header that holds the hexadecimal digest.
        time: the header that holds whole seconds since 1970.
        now: seconds since 1970.
    """

    def __init__(
        self, signature: str, time: str, secrets: Sequence[str], *, now: Callable[[], float]
    ) -> None:
        self._signature, self._time = _name(signature), _name(time)
        self._secrets = _keys(secrets)
        self._now = now

    def __repr__(self) -> str:
        return f"TimedHmac({self._signature.decode()!r}, {len(self._secrets)} secrets)"

    def __call__(self, headers: Headers, raw: bytes) -> bool:
        """Whether one of the secrets signed the time and `raw`, a moment ago."""
        stamp = _only(headers, self._time)
        given = _HEX.fullmatch(_only(headers, self._signature))
        signed = given is not None and _signed(stamp + b"." + raw, given[1], self._secrets)
        return signed and time_is_near(stamp, self._now())


class BasicUsers:
    """HTTP Basic: one of several `user:password` pairs that the platform was given (A-ORK-4).

    The body is not covered, so it is the more important that nothing in it is taken for true.

    Raises:
        SettingsError: a pair has no colon, or nothing on one side of it.
    """

    def __init__(self, pairs: Sequence[str]) -> None:
        for pair in pairs:
            user, colon, password = pair.partition(":")
            if not (user and colon and password):
                raise SettingsError(
                    "a webhook user is not 'user:password'",
                    hint="Give each as name, colon, password; neither side may be empty.",
                )
        self._pairs = [hashlib.sha256(pair.encode()).digest() for pair in pairs]

    def __repr__(self) -> str:
        return f"BasicUsers({len(self._pairs)} users)"

    def __call__(self, headers: Headers, raw: bytes) -> bool:  # noqa: ARG002  Basic does not cover the body
        """Whether the credentials are one of the pairs."""
        given = _BASIC.fullmatch(_only(headers, b"authorization"))
        if given is None:
            return False
        try:
            pair = b64decode(given[1], validate=True)
        except ValueError:
            return False
        # Digests have one length, so that the comparison does not tell how long a password is.
        said = hashlib.sha256(pair).digest()
        return any([hmac.compare_digest(said, known) for known in self._pairs])  # noqa: C419  all are compared


def time_is_near(stamp: bytes, now: float, *, near_s: float = NEAR_S) -> bool:
    """Whether whole seconds since 1970 are at most `near_s` from `now`.

    >>> time_is_near(b"1000", 1300.0), time_is_near(b"1000", 1301.0), time_is_near(b"1e3", 1000.0)
    (True, False, False)
    """
    return _SECONDS.fullmatch(stamp) is not None and abs(int(stamp) - now) <= near_s


def _signed(message: bytes, given: bytes, secrets: Sequence[bytes]) -> bool:
    said = bytes.fromhex(given.decode("ascii"))
    known = [hmac.digest(key, message, "sha256") for key in secrets]
    return any([hmac.compare_digest(said, digest) for digest in known])  # noqa: C419  all are compared


def _only(headers: Headers, name: bytes) -> bytes:
    """The value of a header that stands there once and is no longer than one needs; else nothing."""
    values = [value for key, value in headers if key == name]
    return values[0] if len(values) == 1 and len(values[0]) <= _HEADER_MAX else b""


def _name(header: str) -> bytes:
    return header.lower().encode("ascii")


def _keys(secrets: Sequence[str]) -> list[bytes]:
    if not all(secret.strip() for secret in secrets):
        raise SettingsError(
            "a webhook secret is empty: anybody could sign with it",
            hint="Give the secret that the platform showed when the webhook was registered.",
        )
    return [secret.encode() for secret in secrets]
