"""Signatures: only the very bytes that a holder of an active secret signed, and never an error."""

from __future__ import annotations

import hmac
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.core.errors import SettingsError
from payouts.providers.signatures import BasicUsers, HmacHeader, TimedHmac, time_is_near

RAW = b'{"id":"evt_1","type":"payment.settled"}'
OLD, NEW = "the old secret", "the new secret"
HEADER = b"x-signature-256"
SIGNED = HmacHeader("X-Signature-256", [OLD, NEW])
USERS = BasicUsers(["hook:pass:word", "other:secret"])


def digest(secret: str, raw: bytes = RAW) -> bytes:
    return hmac.digest(secret.encode(), raw, "sha256").hex().encode()


def basic(pair: str) -> bytes:
    return b"Basic " + b64encode(pair.encode())


@pytest.mark.parametrize("secret", [OLD, NEW])
@pytest.mark.parametrize("prefix", [b"", b"sha256="])
def test_every_active_secret_is_taken_with_and_without_prefix(secret: str, prefix: bytes) -> None:
    assert SIGNED([(HEADER, prefix + digest(secret))], RAW)
    assert SIGNED([(HEADER, prefix + digest(secret).upper())], RAW)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="none"),
        pytest.param([(HEADER, b"")], id="empty"),
        pytest.param([(HEADER, b"sha256=")], id="prefix only"),
        pytest.param([(HEADER, digest("another"))], id="another secret"),
        pytest.param([(HEADER, digest(OLD)[:-1])], id="short"),
        pytest.param([(HEADER, digest(OLD) + b"0")], id="long"),
        pytest.param([(HEADER, digest(OLD) + b"\n")], id="line end"),
        pytest.param([(HEADER, b" " + digest(OLD))], id="space"),
        pytest.param([(HEADER, b"sha1=" + digest(OLD))], id="other prefix"),
        pytest.param([(HEADER, b"sha256=sha256=" + digest(OLD))], id="two prefixes"),
        pytest.param([(HEADER, b"z" * 64)], id="no hex"),
        pytest.param([(HEADER, "é".encode() * 32)], id="no ascii"),
        pytest.param([(HEADER, b"\xff\x00" * 32)], id="binary"),
        pytest.param([(HEADER, b"0" * 1_000_000)], id="huge"),
        pytest.param([(HEADER, digest(OLD)), (HEADER, digest(OLD))], id="twice"),
        pytest.param([(b"x-signature", digest(OLD))], id="other name"),
        pytest.param([(b"authorization", basic("hook:pass:word"))], id="other scheme"),
    ],
)
def test_anything_odd_about_the_header_is_just_no(headers: list[tuple[bytes, bytes]]) -> None:
    assert SIGNED(headers, RAW) is False


@pytest.mark.parametrize(
    "body",
    [b"", RAW + b" ", RAW.replace(b":", b": "), RAW.replace(b"settled", b"Settled"), RAW[:-1]],
)
def test_other_bytes_than_the_signed_ones_are_refused(body: bytes) -> None:
    """The same JSON written anew is another body: what was signed are the bytes."""
    assert SIGNED([(HEADER, digest(NEW))], body) is False


@given(value=st.binary(max_size=200), raw=st.binary(max_size=50))
def test_no_bytes_raise_and_none_are_taken_by_chance(value: bytes, raw: bytes) -> None:
    for verifier, name in ((SIGNED, HEADER), (USERS, b"authorization"), (TIMED, b"x-signed")):
        assert verifier([(name, value), (b"x-time", value)], raw) is False


def test_without_a_secret_nothing_is_taken() -> None:
    assert HmacHeader("X-Signature-256", [])([(HEADER, digest(""))], RAW) is False
    assert BasicUsers([])([(b"authorization", basic(":"))], RAW) is False


@pytest.mark.parametrize("secret", ["", " ", "\t"])
def test_an_empty_secret_stops_the_start(secret: str) -> None:
    """With it anybody could sign."""
    with pytest.raises(SettingsError, match="empty"):
        HmacHeader("X-Signature-256", [OLD, secret])


@pytest.mark.parametrize("pair", ["", "hook", "hook:", ":secret"])
def test_half_a_user_stops_the_start(pair: str) -> None:
    with pytest.raises(SettingsError, match="user:password"):
        BasicUsers([pair])


@pytest.mark.parametrize("pair", ["hook:pass:word", "other:secret"])
def test_every_active_user_is_taken(pair: str) -> None:
    assert USERS([(b"authorization", basic(pair))], RAW)
    assert USERS([(b"authorization", basic(pair).replace(b"Basic", b"bASIC"))], RAW)


@pytest.mark.parametrize(
    "value",
    [
        basic("hook:pass"),
        basic("hook:pass:word "),
        basic("other:pass:word"),
        basic("hook"),
        basic("hook:pass:word")[:-1],
        basic("hook:pass:word") + b"=",
        b"Basic",
        b"Basic " + b64encode(b"hook:pass:word").replace(b"a", b"-", 1),
        b"Bearer " + b64encode(b"hook:pass:word"),
        b"Basic hook:pass:word",
        b"Basic " + b"A" * 2_000,
    ],
)
def test_other_credentials_are_refused(value: bytes) -> None:
    assert USERS([(b"authorization", value)], RAW) is False


NOW = 1_800_000_000.0
TIMED = TimedHmac("X-Signed", "X-Time", [OLD, NEW], now=lambda: NOW)


def timed(stamp: bytes, secret: str = NEW) -> list[tuple[bytes, bytes]]:
    signed = digest(secret, stamp + b"." + RAW)
    return [(b"x-signed", signed), (b"x-time", stamp)]


@pytest.mark.parametrize(
    ("away", "taken"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)]
)
def test_a_signed_time_is_near_ours_or_the_signature_is_stale(away: int, *, taken: bool) -> None:
    assert TIMED(timed(str(int(NOW) + away).encode()), RAW) is taken


def test_a_time_that_was_exchanged_is_not_signed() -> None:
    """Otherwise a recorded webhook would be fresh for ever."""
    signed, _ = timed(b"1")

    assert TIMED([signed, (b"x-time", str(int(NOW)).encode())], RAW) is False


@pytest.mark.parametrize("stamp", [b"", b"1e9", b"-1", b"+1", b" 1", b"1.0", b"1_0", b"9" * 40])
def test_an_odd_time_is_just_no(stamp: bytes) -> None:
    assert time_is_near(stamp, 0.0) is False
    assert TIMED(timed(stamp), RAW) is False


def test_no_secret_shows_in_what_is_printed() -> None:
    for verifier in (SIGNED, USERS, TIMED):
        assert "secret" not in repr(verifier).replace("2 secrets", "")
        assert "pass" not in repr(verifier)
