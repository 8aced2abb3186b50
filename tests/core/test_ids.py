"""Public ids sort like their keys; wire references depend on the line's identity alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.core import ids
from payouts.core.errors import UsageError
from payouts.flows.identity import Signer, with_wires

KEYS = st.integers(0, 2**63 - 1)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=70)
INSTALL_KEY = bytes(range(32))


@given(st.sampled_from(sorted(ids.PREFIXES)), KEYS)
def test_an_id_gives_its_key_back(prefix: str, key: int) -> None:
    assert ids.key_of(ids.public_id(prefix, key)) == (prefix, key)


@given(KEYS, KEYS)
def test_ids_of_ten_digits_sort_like_their_keys(one: int, other: int) -> None:
    one, other = one % 32**10, other % 32**10

    assert (ids.public_id("itm", one) < ids.public_id("itm", other)) == (one < other)


def test_an_id_may_be_typed_in_capitals() -> None:
    assert ids.key_of("run_000000016J") == ("run", 1234)


@pytest.mark.parametrize(
    "text",
    [
        *("", "_", "run", "run_", "1234", "itm1234", "foo_0000000001", "RUN_0000000001"),
        *("itm_i", "itm_l", "itm_o", "itm_u", "itm_12 3", "itm_-1", "itm_\u0661", "itm_é"),
        *("itm_zzzzzzzzzzzzz", "itm_8000000000000"),
    ],
)
def test_what_is_no_id_is_refused_with_words_for_people(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        ids.key_of(text)

    assert caught.value.code == "E_ID"
    assert repr(text) in caught.value.message


def test_the_greatest_key_of_a_database_is_an_id() -> None:
    assert ids.key_of("itm_7zzzzzzzzzzzz") == ("itm", 2**63 - 1)


@given(TEXTS, TEXTS, st.integers(1, 99))
def test_a_wire_reference_is_the_hmac_of_the_identity(
    payer: str, reference: str, intent: int
) -> None:
    """Recomputed from the standard library alone: it has to be the same after every restore."""
    message = payer.encode() + b"\0" + reference.encode() + b"\0" + str(intent).encode() + b"\0v1"
    digest = hmac.new(INSTALL_KEY, message, hashlib.sha256).digest()

    wire = ids.wire_reference(INSTALL_KEY, payer, reference, intent)

    assert wire == "P" + base64.b32encode(digest[:20]).decode()[:31]
    assert re.fullmatch(r"P[A-Z2-7]{31}", wire), "fits pain.001: 35 characters, no signs"
    assert ids.wire_prefix(wire) == int.from_bytes(digest[:8], "big", signed=True)


@given(st.lists(st.tuples(TEXTS, TEXTS, st.integers(1, 9)), min_size=2, unique=True))
def test_different_identities_have_different_messages(many: list[tuple[str, str, int]]) -> None:
    assert len({ids.identity_message(*one) for one in many}) == len(many)


def test_another_payer_intent_or_key_is_another_reference() -> None:
    first = ids.wire_reference(INSTALL_KEY, "acme", "INV-1", 1)

    assert first != ids.wire_reference(INSTALL_KEY, "acme2", "INV-1", 1)
    assert first != ids.wire_reference(INSTALL_KEY, "acme", "INV-1", 2)
    assert first != ids.wire_reference(INSTALL_KEY[::-1], "acme", "INV-1", 1)
    assert first == ids.wire_reference(INSTALL_KEY, "acme", "INV-1", 1)


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=90), st.lists(st.binary()))
def test_the_signer_computes_what_hmac_does(
    key: bytes, prefix: bytes, messages: list[bytes]
) -> None:
    """It keeps half-made hashes for speed; a key longer than a block is hashed first (RFC 2104)."""
    signer = Signer(key)
    wanted = [hmac.digest(key, prefix + message, "sha256")[:20] for message in messages]

    assert signer.digests(messages, prefix=prefix) == b"".join(wanted)
    assert signer.digests(messages, prefix=prefix) == b"".join(wanted), "and again"


@given(st.lists(TEXTS, min_size=1, max_size=40))
def test_a_column_of_references_gives_the_wires_of_its_lines(references: list[str]) -> None:
    items = pl.DataFrame({"reference": references}, schema={"reference": pl.String})

    made = with_wires(items, signer=Signer(INSTALL_KEY), payer="acme", intent=3)

    wires = [ids.wire_reference(INSTALL_KEY, "acme", each, 3) for each in references]
    assert made["wire"].to_list() == wires
    assert made["wire_prefix"].to_list() == [ids.wire_prefix(wire) for wire in wires]
