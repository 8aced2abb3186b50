"""JSON as a provider must write it, or else the answer is unclear.

Refused: malformed or cut text, duplicate keys, NaN and Infinity. Numbers with a fraction become
`Decimal`, never a float (P16). The fast path decodes with orjson and is taken only where counting
the quoted keys proves that none is repeated.

>>> loads(b'{"amount": 12.50}')
{'amount': Decimal('12.50')}
>>> loads(b'{"a": 1, "a": 2}')
Traceback (most recent call last):
payouts.providers.strict.UnreadableError: the key 'a' stands twice
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from itertools import repeat
from operator import contains
from typing import Any

import orjson

__all__ = ["UnreadableError", "ident", "idents", "loads", "loads_rows", "word"]

_IDENT_MAX = 200
_WORD_MAX = 80


_ESCAPED = re.compile(rb"\\u00[2-7]")
"""An ASCII character that is escaped: a key may be spelled so, and nobody writes texts so."""


_GRAPHIC = re.compile(r"[!-~]*")


class UnreadableError(ValueError):
    """The body is not what the contract says; what it would have said is unknown."""


def loads(body: bytes) -> Any:  # noqa: ANN401  JSON is any of seven types
    """The value of a JSON text.

    Raises:
        UnreadableError: the text is not strict JSON.
    """
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_float=_decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_unique,
        )
    except UnreadableError:
        raise
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"not JSON: {type(error).__name__}") from None


def loads_rows(body: bytes, keys: tuple[bytes, ...]) -> list[Any]:
    """The rows of an array of flat objects, by the fast path where that is safe.

    Args:
        keys: the names that are read from each row; each may stand at most once in a row.
    """
    try:
        rows = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise UnreadableError("not JSON") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return _as_list(loads(body))
    once = _ESCAPED.search(body) is None and all(
        (told := body.count(b'"%b"' % key)) == 0
        or told == sum(map(contains, rows, repeat(key.decode())))
        for key in keys
    )
    return rows if once else _as_list(loads(body))


def _as_list(value: Any) -> list[Any]:  # noqa: ANN401  JSON is any of seven types
    """A wrapped array (`payments`, `results` or `data`) or a bare one: A-OKS-2."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("payments", "results", "data") if key in value), None)
    if not isinstance(value, list):
        raise UnreadableError("not an array of objects")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise UnreadableError(f"the key '{twice}' stands twice")
    return made


def ident(value: object) -> str | None:
    r"""A payment's id as text; nothing where it is none that can be kept and asked for again.

    >>> ident(17), ident("py_1"), ident("a b"), ident("a\x00b"), ident(True), ident("")
    ('17', 'py_1', None, None, None, None)
    """
    if type(value) not in {int, str}:
        return None
    text = str(value)
    plain = text.isascii() and text.isprintable() and " " not in text
    return text if plain and 0 < len(text) <= _IDENT_MAX else None


def idents(values: list[Any]) -> bool:
    """Whether all of them are texts that `ident` keeps.

    >>> idents(["py_1", "py_2"]), idents(["py_1", "a b"]), idents(["py_1", 2]), idents([""])
    (True, False, False, False)
    """
    return (
        set(map(type, values)) <= {str}
        and all(values)
        and max(map(len, values), default=0) <= _IDENT_MAX
        and _GRAPHIC.fullmatch("".join(values)) is not None
    )


def word(value: object) -> str | None:
    r"""A status, code or reason as short text that can be stored; nothing if it is no text.

    Control characters become a mark and do not vanish, so that no other word comes out.

    >>> word("Hesap kapal\u0131"), word("PA\x00ID"), word(7), word("")
    ('Hesap kapal\u0131', 'PA\ufffdID', None, None)
    """
    if not isinstance(value, str) or not value:
        return None
    return "".join(char if char.isprintable() else "\ufffd" for char in value[:_WORD_MAX])


def _decimal(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except ArithmeticError:  # an exponent beyond what Decimal can hold
        raise UnreadableError("a number is beyond all bounds") from None


def _no_constant(word: str) -> None:
    raise UnreadableError(f"{word} is not a number")
