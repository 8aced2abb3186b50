"""Latin: texts written with the few characters that a SEPA message may hold.

Names keep their own spelling in our books; what is sent is transliterated, and shown before.

>>> to_sepa("Jürgen Groß & Søn"), to_sepa("Γιώργος"), to_sepa("Иван")
('Jurgen Gross + Son', 'Giorgos', 'Ivan')
>>> is_sepa("O'Neill, Anna-Maria"), is_sepa("Zoë")
(True, False)
"""
# ruff: noqa: RUF001, RUF002  look-alike characters are what the table is about

from __future__ import annotations

import re
import unicodedata
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LETTERS", "SEPA", "UNSENDABLE", "is_sepa", "to_sepa"]

SEPA: Final = r"[A-Za-z0-9/\-?:().,'+ ]"
"""The characters of a SEPA message (EPC217-08), as a class of regular expressions."""

UNSENDABLE: Final = "."
"""What stands for a character that has no Latin spelling (EPC217-08)."""


def _pairs(text: str) -> dict[str, str]:
    """`бb жzh` → б is spelled b, ж is spelled zh."""
    return {pair[0]: pair[1:] for pair in text.split()}


_CYRILLIC: Final = _pairs(
    "аa бb вv гg дd еe жzh зz иi йy кk лl мm нn оo пp рr сs тt уu фf хh цts чch шsh щsht ъa ыy ьy "
    "эe юyu яya іi ѐe ѝi ўu ґg јj љlj њnj ћc ђd џdz ѓg ќk ѕdz єye їyi ёe"
)
_GREEK: Final = _pairs(
    "αa βv γg δd εe ζz ηi θth ιi κk λl μm νn ξx οo πp ρr σs ςs τt υy φf χch ψps ωo"
)
_LATIN: Final = _pairs("ßss æae œoe øo đd ðd þth łl ħh ŋn ıi əa") | {"ẞ": "SS"}
_SIGNS: Final = _pairs(
    "&+ _- `' ´' ʻ' ʼ' ‘' ’' “' ”' \"' «' »' ‐- ‑- –- —- −- ;, [( ]) {( }) \\/ |/"
) | {"\u00a0": " ", "\u202f": " "}


def _both_cases(letters: Mapping[str, str]) -> dict[str, str]:
    upper = {
        small.upper(): latin[:1].upper() + latin[1:]
        for small, latin in letters.items()
        if len(small.upper()) == 1 and small.upper() != small
    }
    return upper | dict(letters)


LETTERS: Final[Mapping[str, str]] = MappingProxyType(
    _SIGNS | _both_cases(_CYRILLIC) | _both_cases(_GREEK) | _both_cases(_LATIN)
)
"""Character → Latin spelling, for what does not come apart into a letter and its accents."""

_PLAIN = re.compile(f"{SEPA}*")
_MARKS = re.compile("[\u0300-\u036f]")
_OTHER = re.compile(f"[^{SEPA[1:]}")
_TABLE = str.maketrans(dict(LETTERS))


def is_sepa(text: str) -> bool:
    """Whether a text can be sent as it stands."""
    return _PLAIN.fullmatch(text) is not None


def to_sepa(text: str) -> str:
    """The text in the characters of SEPA: accents off, other alphabets spelled, `.` for the rest.

    Letters that come apart (é into e and its accent, Unicode NFKD) lose the accent; Greek and
    Cyrillic are spelled letter by letter, Bulgarian as its law of transliteration says.
    """
    bare = _MARKS.sub("", unicodedata.normalize("NFKD", text.translate(_TABLE)))
    return _OTHER.sub(UNSENDABLE, bare.translate(_TABLE))
