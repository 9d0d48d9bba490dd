"""Values as XML, in the ways of both vendors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def element(name: str, value: Any, depth: int = 0, step: int = 4) -> str:
    """A mapping is its members, a list the same element for each; `@name` is an attribute and `#text` the text."""
    if isinstance(value, list | tuple):
        return "".join(element(name, each, depth, step) for each in value)
    pad = " " * (depth * step)
    if not isinstance(value, Mapping):
        return f"{pad}<{name}>{_text(value)}</{name}>\n"
    attributes = "".join(f" {key[1:]}={quoteattr(_plain(each))}" for key, each in value.items() if key.startswith("@"))
    if "#text" in value:
        return f"{pad}<{name}{attributes}>{_text(value['#text'])}</{name}>\n"
    inner = "".join(element(key, each, depth + 1, step) for key, each in value.items() if not key.startswith("@"))
    return f"{pad}<{name}{attributes}>\n{inner}{pad}</{name}>\n" if inner else f"{pad}<{name}{attributes} />\n"


def document(name: str, value: Any, step: int = 4) -> str:
    return HEAD + element(name, value, 0, step)


def _text(value: Any) -> str:
    return escape(_plain(value))


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
