"""Whether a text that nobody could read names a person: by the addresses, numbers and handles in it, however they are written."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from caseline.identity import normalise_identity
from caseline.quarantine import read_raw

_ESCAPED = re.compile(r"\\u([0-9a-f]{4})")
_MAIL, _NUMBER = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), re.compile(r"\+\d{7,15}")
MOST = 50  # addresses and numbers of one payload


def text_of(row: Mapping[str, Any]) -> str:
    """All of a payload that was not understood, in lower case: `raw`, `whole`, `headers` and `url` as quarantine keeps them."""
    raw = read_raw(row) or ""
    raw = raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)
    text = base64.b64decode(raw).decode("utf-8", "ignore") if row.get("whole") else raw
    return unescaped(f"{text} {row.get('headers')} {row.get('url')}")


def names(row: Mapping[str, Any], words: Sequence[str]) -> bool:
    """Whether such a payload holds one of the words."""
    text = text_of(row)
    return any(word in text for word in words)


def unescaped(text: str) -> str:
    """In lower case, as people would read it."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text.lower()).replace("%40", "@").replace("%2b", "+")


def identities_in(text: str) -> Iterator[str]:
    """Of all mail addresses and phone numbers in a text."""
    for found in dict.fromkeys([f"email:{each}" for each in _MAIL.findall(text)][:MOST] + [f"phone:{each}" for each in _NUMBER.findall(text)][:MOST]):
        if identity := normalise_identity(found):
            yield identity


def payload_mark(row: Mapping[str, Any]) -> str:
    """What the tombstone of a quarantined payload is found by: the same payload has the same, whenever it comes."""
    return "PAYLOAD#" + hashlib.sha256(str(read_raw(row) or "").encode("utf-8", "surrogatepass")).hexdigest()
