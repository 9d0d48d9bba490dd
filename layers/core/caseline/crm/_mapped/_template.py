"""Requests with placeholders. A value is only ever a value, wherever it stands.

    path    /people/{crm_id}                          always URL-quoted
    query   owner: "{owner}"                          a value of its own; a list is repeated
            filter: "email in ({emails|odata})"       within other text: quoted as that language does
    body    {"subject": "{subject}"}                  JSON: text, number or list as it is
            {"title": "Caseline: {subject|text}"}     text within text

A member whose value is unknown or empty is left out, one that is to be blank is null.
{"$join": " or ", "$parts": [...]} joins the parts that have their values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from caseline.crm._text import fit_text
from caseline.errors import CrmNotFoundError

PLACE = re.compile(r"\{([a-z_]+)(?:\|([a-z]+))?\}")
LONGEST_PART = 256
NOTHING = object()
BLANK = object()  # a value that the CRM is to have no more: null where it stands alone in a body, left out elsewhere
Values = Mapping[str, Any]


class OddValueError(CrmNotFoundError):
    """No record can have such an id."""


QUOTINGS: Mapping[str, Callable[[str], str]] = {
    "odata": lambda text: "'" + text.replace("'", "''") + "'",
    "backslash": lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r") + "'",
    "json": lambda text: json.dumps(text, ensure_ascii=False),
    "url": lambda text: quote(text, safe=""),
    "text": str,
}


class Template:
    """Any YAML with placeholders. ValueError for one that is not understood."""

    def __init__(self, value: Any) -> None:
        self._value = value
        for _, quoting in _places(value):
            if quoting and quoting not in QUOTINGS:
                raise ValueError(f"there is no quoting {quoting!r}; write one of {', '.join(QUOTINGS)}")
        for text in _texts(value):
            if any(not found[2] for found in PLACE.finditer(text)) and not PLACE.fullmatch(text):
                raise ValueError(f"{text!r}: a placeholder within other text says how it is quoted, such as {{name|odata}}")

    @property
    def names(self) -> set[str]:
        return {name for name, _ in _places(self._value)}

    @property
    def quotings(self) -> set[str]:
        return {quoting for _, quoting in _places(self._value)}

    def fill(self, values: Values) -> Any:
        """None where nothing is left of it."""
        filled = _fill(self._value, values)
        return None if filled is NOTHING else filled


class Path:
    """A path on the CRM's host."""

    def __init__(self, text: str) -> None:
        if not text.startswith("/") or text.startswith("//") or re.search(r"[\s?#\\]", text) or ".." in text.split("/"):
            raise ValueError("write a path such as /api/people/{crm_id}; what follows a ? stands under `query`")
        if any(quoting for _, quoting in _places(text)):
            raise ValueError("in a path all is URL-quoted: write {name} alone")
        self._text, self.names = text, {name for name, _ in _places(text)}

    def fill(self, values: Values) -> str:
        return PLACE.sub(lambda found: _part(values.get(found[1])), self._text)


def _part(value: Any) -> str:
    """One part of a path: a dot or two would lead elsewhere."""
    text = str(value if value is not None else "")
    if not 0 < len(text) <= LONGEST_PART or not text.isprintable() or text.strip(".") == "":
        raise OddValueError("no record has such an id")
    return quote(text, safe="")


def _fill(template: Any, values: Values) -> Any:
    if isinstance(template, str):
        return _fill_text(template, values)
    if isinstance(template, Mapping):
        return _fill_join(template, values) if set(template) == {"$join", "$parts"} else _fill_object(template, values)
    if isinstance(template, list):
        filled = [value for each in template if (value := _fill(each, values)) is not NOTHING]
        return filled if filled or not template else NOTHING
    return template


def _fill_object(template: Mapping[str, Any], values: Values) -> Any:
    filled = {str(name): value for name, each in template.items() if (value := _fill(each, values)) is not NOTHING}
    return filled if filled or not template else NOTHING


def _fill_join(template: Mapping[str, Any], values: Values) -> Any:
    parts = [str(part) for each in template["$parts"] if (part := _fill(each, values)) is not NOTHING]
    return str(template["$join"]).join(parts) if parts else NOTHING


def _fill_text(template: str, values: Values) -> Any:
    whole = PLACE.fullmatch(template)
    if whole and not whole[2]:
        value = values.get(whole[1])
        if value is BLANK:
            return None
        return NOTHING if _is_empty(value) else _clean(value)
    if any(_is_empty(values.get(name)) for name, _ in _places(template)):
        return NOTHING
    return PLACE.sub(lambda found: _quoted(values[found[1]], QUOTINGS[found[2]]), template)


def _quoted(value: Any, quoting: Callable[[str], str]) -> str:
    return ", ".join(quoting(str(_clean(each))) for each in (value if isinstance(value, list | tuple) else [value]))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return fit_text(value, len(value) * 2 + 1)
    return [_clean(each) for each in value] if isinstance(value, list | tuple) else value


def _is_empty(value: Any) -> bool:
    return value is None or value is BLANK or value in ("", [], ())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(each)


def _places(value: Any) -> Iterator[tuple[str, str]]:
    for text in _texts(value):
        yield from ((found[1], found[2] or "") for found in PLACE.finditer(text))
