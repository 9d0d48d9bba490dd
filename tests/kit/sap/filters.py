"""OData as SAP's two products understand it: parsed, typed, and refused as there."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.kit.sap.tenant import Row, SapError, Table

_TOKEN = re.compile(
    r"\s*(?:(?P<stamp>datetimeoffset'[^']*')|(?P<string>'(?:[^']|'')*')|(?P<id>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w]*(?:[./][A-Za-z_]\w*)*)|(?P<sign>[(),]))"
)
Test = Callable[[Row], bool]
COMPARISONS = ("eq", "ne", "gt", "ge", "lt", "le")


def bad_query(message: str, target: str = "") -> SapError:
    return SapError(400, "INVALID_QUERY", message, target)


class Filter:
    """V2: any `or`, contains, startswith, null, dots and slashes. `is_c4c`: an `or` of one column only, wildcards in eq, startswith, endswith, no null."""

    def __init__(self, text: str, table: Table, is_c4c: bool) -> None:
        self._table, self._is_c4c, self._tokens, self._at = table, is_c4c, _tokens(text), 0

    def parse(self) -> Test:
        test, _ = self._any()
        if self._at < len(self._tokens):
            raise self._wrong()
        return test

    def _any(self) -> tuple[Test, set[str]]:
        branches = [self._all()]
        while self._take("or"):
            branches.append(self._all())
        names = {name for _, found in branches for name in found}
        if self._is_c4c and len(branches) > 1 and len(names) > 1:
            raise bad_query("Logical OR is supported for one property only")
        return lambda row: any(test(row) for test, _ in branches), names

    def _all(self) -> tuple[Test, set[str]]:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return lambda row: all(test(row) for test, _ in parts), {name for _, found in parts for name in found}

    def _one(self) -> tuple[Test, set[str]]:
        if self._take("("):
            found = self._any()
            self._need(")")
            return found
        kind, name = self._next()
        if kind != "name":
            raise self._wrong()
        if name in (("startswith", "endswith") if self._is_c4c else ("contains", "startswith")):
            return self._function(name)
        return self._comparison(self._column(name))

    def _function(self, function: str) -> tuple[Test, set[str]]:
        self._need("(")
        column = self._column(self._next()[1])
        self._need(",")
        kind, value = self._next()
        self._need(")")
        if kind != "string" or self._table.kind(column) != "string":
            raise bad_query(f"{function} takes a string")
        checks = {"contains": lambda text: value in text, "startswith": lambda text: text.startswith(value), "endswith": lambda text: text.endswith(value)}
        return lambda row: checks[function](str(row.get(column) or "")), {column}

    def _comparison(self, column: str) -> tuple[Test, set[str]]:
        _, sign = self._next()
        kind, value = self._next()
        if sign not in COMPARISONS or not kind:
            raise self._wrong()
        if value is None and self._is_c4c:
            raise bad_query("null is not supported")
        wanted = self._table.kind(column)
        wanted = "string" if wanted == "id" and kind == "string" else wanted
        if value is not None and kind != wanted:
            raise bad_query(f"Property {column} cannot be compared with a {kind}", "")
        if self._is_c4c and kind == "string" and sign == "eq" and "*" in value:
            pattern = re.compile(".*".join(map(re.escape, value.split("*"))), re.DOTALL | re.IGNORECASE)
            return lambda row: bool(pattern.fullmatch(str(row.get(column) or ""))), {column}
        return lambda row: _compare(sign, row.get(column), value), {column}

    def _column(self, name: str) -> str:
        plain = name.replace("/", ".")
        if plain not in self._table.columns:
            raise bad_query(f"Property {plain.rpartition('.')[2]} not found in {self._table.name}", plain)
        if self._table.kind(plain) == "list":
            raise bad_query(f"Property {plain} cannot be filtered")
        return plain

    def _next(self) -> tuple[str, Any]:
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        self._at += 1
        if kind == "string":
            return kind, text[1:-1].replace("''", "'")
        if kind in ("stamp", "time"):
            if (kind == "stamp") != self._is_c4c:
                raise bad_query("A time is written in another way here")
            return "time", datetime.fromisoformat(text.removeprefix("datetimeoffset'").rstrip("'"))
        if kind == "number":
            return kind, float(text)
        return ("null", None) if (kind, text) == ("name", "null") else (kind, text)

    def _take(self, text: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] in (("name", text), ("sign", text)):
            self._at += 1
            return True
        return False

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise self._wrong()

    def _wrong(self) -> SapError:
        return bad_query(f"Syntax error at {self._at}")


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if not match:
            raise bad_query(f"Syntax error at character {at}")
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        at = match.end()
    return found


def _compare(sign: str, value: Any, wanted: Any) -> bool:
    empty = value is None or value == ""
    if wanted is None:
        return empty if sign == "eq" else not empty if sign == "ne" else False
    if empty:
        return sign == "ne"
    left, right = (str(value).lower(), str(wanted).lower()) if isinstance(wanted, str) else (value, wanted)
    return {"eq": left == right, "ne": left != right, "gt": left > right, "ge": left >= right, "lt": left < right, "le": left <= right}[sign]


def select(table: Table, options: dict[str, str], is_c4c: bool, most: int) -> tuple[list[Row], int]:
    """The page and how many match in all. Sorted by nothing but what was asked for, else by age."""
    known = {"filter", "orderby", "top", "skip", "select", "count", "search", "format", "inlinecount", "expand"}
    for name in options:
        if name not in known:
            raise bad_query(f"Query option ${name} is not supported")
    test = Filter(options["filter"], table, is_c4c).parse() if options.get("filter") else lambda row: True
    rows = [row for row in table.rows.values() if test(row)]
    for item in reversed([item.split() for item in options.get("orderby", "").split(",") if item.strip()]):
        column = item[0].replace("/", ".")
        if column not in table.columns:
            raise bad_query(f"Property {column.rpartition('.')[2]} not found in {table.name}", column)
        rows.sort(key=lambda row: (row.get(column) is not None, row.get(column) or 0), reverse=item[1:] == ["desc"])
    skip, top = _whole(options.get("skip", "0")), min(_whole(options.get("top", str(most))), most)
    return rows[skip : skip + top], len(rows)


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise bad_query("A whole number is needed")
    return int(text)
