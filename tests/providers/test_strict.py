"""JSON as a provider must write it: whatever can be read in two ways is not read at all."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.providers.strict import UnreadableError, loads, loads_rows

KEYS = (b"id", b"status", b"amount", b"currency", b"reference")
ROW = '{"id": "pay_1", "status": "pending", "amount": 1250, "currency": "TRY", "reference": "P1"}'

MALFORMED = {
    "nothing": b"",
    "blanks": b"  \n",
    "HTML": b"<html><body>502 Bad Gateway</body></html>",
    "cut": b'[{"id": "pay_1", "sta',
    "cut behind a comma": b'[{"id": "pay_1"},',
    "two documents": b"[][]",
    "a trailing comma": b'[{"id": "pay_1"},]',
    "single quotes": b"[{'id': 'pay_1'}]",
    "a comment": b"[] // fine",
    "not UTF-8": b'[{"id": "\xff"}]',
    "a byte order mark": b"\xef\xbb\xbf[]",
    "UTF-16": "[]".encode("utf-16"),
    "a bare control character": b'[{"id": "a\nb"}]',
    "a thousand brackets": b"[" * 100_000,
    "an integer of 5,000 digits": b'[{"id": ' + b"9" * 5_000 + b"}]",
}
CONSTANTS = [b"NaN", b"Infinity", b"-Infinity"]
TWICE = {
    "a key": '[{"id": "1", "id": "2"}]',
    "a key of equal values": '[{"id": "1", "id": "1"}]',
    "a key that is escaped once": '[{"status": "failed", "\\u0073tatus": "settled"}]',
    "a key, and none in the next row": '[{"id": "1", "id": "2"}, {"status": "failed"}]',
    "a key below": '[{"id": "1", "error": {"code": "try_later", "code": "account_closed"}}]',
    "a key that is not read every time": '[{"id": "1", "error": {}, "error": {"code": "x"}}]',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=list(MALFORMED))
def test_what_is_no_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        loads(body)
    with pytest.raises(UnreadableError):
        loads_rows(body, KEYS)


@pytest.mark.parametrize("word", CONSTANTS)
def test_no_constant_is_a_number(word: bytes) -> None:
    for body in (b'[{"amount": %b}]' % word, b'{"amount": %b}' % word):
        with pytest.raises(UnreadableError):
            loads(body)
        with pytest.raises(UnreadableError):
            loads_rows(body, KEYS)


@pytest.mark.parametrize("body", TWICE.values(), ids=list(TWICE))
def test_a_key_that_stands_twice_is_unreadable(body: str) -> None:
    """Two readers would take two meanings, and one of them is a payment that failed."""
    with pytest.raises(UnreadableError, match="twice"):
        loads(body.encode())
    with pytest.raises(UnreadableError, match="twice"):
        loads_rows(body.encode(), (*KEYS, b"error", b"code"))


def test_a_fraction_is_a_decimal_with_all_its_digits() -> None:
    read = loads(b'{"a": 0.10, "b": 12345678901234567890.123456789, "c": 1e2, "d": 7}')

    assert read == {
        "a": Decimal("0.10"),
        "b": Decimal("12345678901234567890.123456789"),
        "c": Decimal("1E+2"),
        "d": 7,
    }
    assert [type(value) for value in read.values()] == [Decimal, Decimal, Decimal, int]


def test_rows_come_bare_or_wrapped() -> None:
    """A-OKS-2: the page does not show the reply."""
    rows = [json.loads(ROW)]

    assert loads_rows(f"[{ROW}]".encode(), KEYS) == rows
    for name in ("payments", "results", "data"):
        assert loads_rows(f'{{"{name}": [{ROW}]}}'.encode(), KEYS) == rows
    assert loads_rows(b"[]", KEYS) == []


@pytest.mark.parametrize("body", [b"{}", b"7", b'"x"', b"null", b'{"items": []}', b'{"data": 7}'])
def test_what_is_no_array_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        loads_rows(body, KEYS)


def test_the_words_of_keys_may_stand_in_texts() -> None:
    """They only cost the fast path."""
    row = {"id": "1", "status": "failed", "note": '"id" and "status"', "error": {"id": "7"}}

    assert loads_rows(json.dumps([row, row]).encode(), KEYS) == [row, row]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "status", "code"]) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
ROWS = st.lists(
    st.dictionaries(st.sampled_from([key.decode() for key in KEYS]) | st.text(), VALUES),
    max_size=6,
)


@given(rows=ROWS, ascii_only=st.booleans())
def test_the_fast_path_reads_what_the_slow_one_does(
    rows: list[dict[str, object]], *, ascii_only: bool
) -> None:
    body = json.dumps(rows, ensure_ascii=ascii_only)
    if any(0xD800 <= ord(char) < 0xE000 for char in body):
        return

    assert loads_rows(body.encode(), KEYS) == rows == loads(body.encode())


PAIRS = st.lists(
    st.tuples(st.sampled_from(["id", "status", "amount", "note"]), st.integers(0, 9)), max_size=5
)


@given(st.lists(PAIRS, max_size=4), st.data())
def test_no_repeated_key_that_is_read_slips_through_the_fast_path(
    rows: list[list[tuple[str, int]]], data: st.DataObject
) -> None:
    """However keys are escaped and spread over rows."""

    def key(name: str) -> str:
        place = data.draw(st.integers(0, len(name)))
        spelled = f"\\u{ord(name[place]):04x}" if place < len(name) else ""
        return name[:place] + spelled + name[place + 1 :]

    body = (
        "["
        + ",".join(
            "{" + ",".join(f'"{key(name)}": {value}' for name, value in row) + "}" for row in rows
        )
        + "]"
    )
    read_keys = {key.decode() for key in KEYS}
    repeated = any([name for name, _ in row].count(name) > 1 for row in rows for name in read_keys)

    try:
        loads_rows(body.encode(), KEYS)
    except UnreadableError:
        return
    assert not repeated
