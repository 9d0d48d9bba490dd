"""Backoffice's filters: `mail in ('a', 'b') or (edited_at gt '...' and not_a_word eq 'o''brien')`, a quote doubled within quotes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|([A-Za-z_]+)|([(),]))", re.DOTALL)
Test = Callable[[Mapping[str, Any]], bool]
OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "eq": lambda one, other: one == other, "ne": lambda one, other: one != other, "gt": lambda one, other: one > other, "lt": lambda one, other: one < other,
}  # fmt: skip


class FilterError(Exception):
    pass


def read_filter(text: str, fields: set[str]) -> Test:
    """FilterError for what is no filter, or names a field that there is not."""
    parser = _Parser(text, fields)
    found = parser.any_of()
    if parser.peek():
        raise FilterError("more than a filter")
    return found


class _Parser:
    def __init__(self, text: str, fields: set[str]) -> None:
        self._tokens, self._at, self._fields = [], 0, fields
        place = 0
        while text[place:].strip():
            found = TOKEN.match(text, place)
            if not found:
                raise FilterError("odd characters")
            self._tokens.append(found[0].strip() if not found[1] else found[1])
            place = found.end()

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> str:
        token = self.peek()
        if not token or (wanted and token != wanted):
            raise FilterError(f"{wanted or 'something'} is missing")
        self._at += 1
        return token

    def any_of(self) -> Test:
        return self._chain("or", self._all_of, any)

    def _all_of(self) -> Test:
        return self._chain("and", self._term, all)

    def _chain(self, word: str, part: Callable[[], Test], combine: Callable[[Any], bool]) -> Test:
        parts = [part()]
        while self.peek() == word:
            self._take(word)
            parts.append(part())
        return lambda row: combine(each(row) for each in parts)

    def _term(self) -> Test:
        if self.peek() == "(":
            self._take("(")
            inner = self.any_of()
            self._take(")")
            return inner
        name, operator = self._take(), self._take()
        if name not in self._fields:
            raise FilterError(f"no field {name}")
        if operator == "in":
            wanted = self._list()
            return lambda row: any(value in wanted for value in _values(row, name))
        if operator not in OPERATORS:
            raise FilterError(f"no operator {operator}")
        other = self._literal()
        return lambda row: any(OPERATORS[operator](value, other) for value in _values(row, name))

    def _list(self) -> list[str]:
        self._take("(")
        found = [self._literal()]
        while self.peek() == ",":
            self._take(",")
            found.append(self._literal())
        self._take(")")
        return found

    def _literal(self) -> str:
        token = self._take()
        if not token.startswith("'"):
            raise FilterError("a text stands in quotes")
        return token[1:-1].replace("''", "'").lower()


def _values(row: Mapping[str, Any], name: str) -> list[str]:
    value = row.get(name)
    return [str(each).lower() for each in value] if isinstance(value, list) else ["" if value is None else str(value).lower()]
