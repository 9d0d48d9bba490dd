"""Whether a text that nobody could read names a person: by the addresses, numbers and handles in it, however they are written."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from caseline.identity import normalise_identity
from caseline.quarantine import read_raw

_ESCAPED = re.compile(r"\\u([0-9a-f]{4})")
_HANDLE = "(?:screen_?name|user_?name|handle|login|nick)"
_BREAKS = re.compile(r"\\[nrtbf]")
_MAIL, _NUMBER = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), re.compile(r"\+\d{7,15}|(?<!\w)\d{10,15}(?!\w)")
MOST = 50  # addresses and numbers of one payload


def text_of(row: Mapping[str, Any]) -> str:
    """All of a payload that was not understood, in lower case: `raw`, `whole`, `headers` and `url` as quarantine keeps them."""
    raw = read_raw(row) or ""
    raw = raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)
    text = base64.b64decode(raw).decode("utf-8", "ignore") if row.get("whole") else raw
    return unescaped(f"{text} {row.get('headers')} {row.get('url')}")


def names(row: Mapping[str, Any], words: Sequence[str]) -> bool:
    """Whether such a payload holds one of the words."""
    return speaks_of(text_of(row), tuple(words))


def speaks_of(text: str, words: tuple[str, ...]) -> bool:
    """Whether one of the words stands in a text as people would read it."""
    return bool(words) and _any_of(words).search(text) is not None


@lru_cache(maxsize=16)
def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_standing, words)))


def _standing(word: str) -> str:
    """An address anywhere; a number or an id by itself, for 6001 is not in a longer number; a handle with its sign, or where a handle is expected."""
    if word.startswith("@"):
        return rf"(?:(?<![^\W_])@|{_HANDLE}\W{{1,6}}){re.escape(word[1:])}(?![^\W_])"
    inside = r"\d" if word.isdecimal() else r"[^\W_]"
    return re.escape(word) if "@" in word else f"(?<!{inside}){re.escape(word)}(?!{inside})"


def word_of(identity: str) -> str:
    """What a payload would say of an identity: platforms write numbers without their plus."""
    return identity.partition(":")[2].lower().lstrip("+")


def unescaped(text: str) -> str:
    """In lower case, as people would read it."""
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text.lower())
    return unquote(_BREAKS.sub(" ", plain))


def identities_in(text: str) -> Iterator[str]:
    """Of all mail addresses and phone numbers in a text."""
    mails, numbers = _MAIL.findall(text)[:MOST], [each.lstrip("+") for each in _NUMBER.findall(text)[:MOST]]
    for found in dict.fromkeys([*(f"email:{each}" for each in mails), *(f"phone:+{each}" for each in numbers)]):
        if identity := normalise_identity(found):
            yield identity


def payload_mark(row: Mapping[str, Any]) -> str:
    """What the tombstone of a quarantined payload is found by: the same payload has the same, whenever it comes."""
    return "PAYLOAD#" + hashlib.sha256(str(read_raw(row) or "").encode("utf-8", "surrogatepass")).hexdigest()
