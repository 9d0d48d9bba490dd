"""HTML of chats and forums as text: a line for each block, no tags. In time that grows with the length alone, whatever a stranger sends."""

from __future__ import annotations

import re

LIMIT = 100_000  # characters that are read
_BREAK = re.compile(r"</?(?:br|p|div|li|ul|ol|tr|table|pre|blockquote|h[1-6]|hr)\b[^<>]{0,2000}>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z!][^<>]{0,8000}>")


def strip_tags(html: str) -> str:
    """The words; blank lines and blanks around lines are dropped. A `<` that opens no tag stays."""
    lines = _unescape(_TAG.sub("", _BREAK.sub("\n", html[:LIMIT]))).split("\n")
    return "\n".join(line.strip() for line in lines if line.strip())


def unescape_signs(text: str) -> str:
    """Plain text in which a platform escapes only the three signs that HTML needs."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _unescape(text: str) -> str:
    """The table of 2,000 names takes as long to load as a channel; most texts need none."""
    if "&" not in text:
        return text
    from html import unescape

    return unescape(text)
