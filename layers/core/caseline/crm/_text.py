"""Text on its way into a CRM: valid Unicode, no control characters that a CRM refuses, not too long."""

from __future__ import annotations

import re

_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def fit_text(text: str, limit: int) -> str:
    """At most `limit` characters (UTF-16 units would be more; emoji count twice there, so they are counted twice here)."""
    clean = _REFUSED.sub("", text)
    if _units(clean) <= limit:
        return clean
    kept = clean[: limit - 1]
    while _units(kept) > limit - 1:
        kept = kept[: -max(1, (_units(kept) - limit + 1) // 2)]
    return kept + "…"


def fit_bytes(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8."""
    clean = _REFUSED.sub("", text)
    data = clean.encode()
    return clean if len(data) <= limit else data[: limit - 3].decode(errors="ignore") + "…"


def _units(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)
