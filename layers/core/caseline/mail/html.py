"""The words of an e-mail's HTML.

Not by html.parser: text that strangers wrote makes it raise, or take time that grows with the square of the length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from caseline.mail.text import tidy

HTML_LIMIT = 300_000  # characters that are read
_BLOCKS = "address article blockquote br div dl dt dd fieldset footer form h1 h2 h3 h4 h5 h6 header hr li ol p pre section table tr ul".split()
_BREAKS = frozenset([*_BLOCKS, *(f"/{name}" for name in _BLOCKS)])
_QUOTES = {"blockquote": 1, "/blockquote": -1}
_DEEPEST = 3  # quotations in quotations that are told apart
_TAG = re.compile(r"<!--|<(/?[a-zA-Z][a-zA-Z0-9]*)[^<>]*>|<[!?/][^<>]*>")
_COMMENT_END = re.compile("-->")
_ENDS = {name: re.compile(f"</{name}[^<>]*>", re.IGNORECASE) for name in ("script", "style", "head", "title", "template")}
_LONG_NUMBER = re.compile(r"&#[xX]?[0-9a-fA-F]{9,};?")
_SPACES = re.compile(r"\s+")


def html_to_text(html: str) -> str:
    """A line for each block; what is quoted is marked with `>`, as in plain text."""
    parts: list[str] = []
    depth = 0
    for tag, words in _read_tags(" ".join(html[:HTML_LIMIT].split())):
        if tag in _QUOTES:
            depth = min(max(depth + _QUOTES[tag], 0), _DEEPEST)
        if tag in _BREAKS:
            parts.append("\n" + "> " * depth)
        parts.append(_unescape(words) if "&" in words else words)
    return tidy("".join(parts))


def _read_tags(html: str) -> Iterator[tuple[str, str]]:
    """Each tag's name (`/p` where it ends) with the words after it. What is in comments, scripts and styles is passed over."""
    tag, position = "", 0
    while (found := _TAG.search(html, position)) is not None:
        yield tag, html[position : found.start()]
        tag, position = (found[1] or "").lower(), found.end()
        closing = _COMMENT_END if found[0] == "<!--" else _ENDS.get(tag)
        if closing is not None:
            end = closing.search(html, position)
            if end is None:
                return
            tag, position = "", end.end()
    yield tag, html[position:]


def _unescape(words: str) -> str:
    from html import unescape

    return _SPACES.sub(" ", unescape(_LONG_NUMBER.sub("\ufffd", words)))
