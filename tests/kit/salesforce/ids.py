"""Record ids: 15 characters in which case counts, or 18 of which the last three say the case."""

from __future__ import annotations

import re

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def is_id(text: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", text))


def long_id(text: str) -> str:
    """The 18 characters of a 15-character id: three more that say which letters are capital."""
    if not is_id(text):
        return text
    core = text[:15]
    return core + "".join(_ALPHABET[sum((char.isupper()) << place for place, char in enumerate(core[start : start + 5]))] for start in (0, 5, 10))


def make_id(prefix: str, count: int) -> str:
    digits = ""
    while count:
        count, digit = divmod(count, 62)
        digits = _DIGITS[digit] + digits
    return long_id(f"{prefix}5g{digits:0>10}")
