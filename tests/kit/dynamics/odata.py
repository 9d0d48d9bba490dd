"""OData as Dataverse understands it: filters, orders and expansions, parsed and refused as there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.kit.dynamics.errors import bad_query

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<time>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?)|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z_$][\w.$]*(?:/[A-Za-z_]\w*)*)|(?P<sign>[(),:]))"
)
COMPARISONS = ("eq", "ne", "gt", "ge", "lt", "le")
FUNCTIONS = ("contains", "startswith", "endswith")
WORDS: Mapping[str, Any] = {"null": None, "true": True, "false": False}


@dataclass(frozen=True)
class Literal:
    kind: str
    value: Any


# A path's kind and value in a row; the kind is checked when the filter is read, for all rows at once.
Typed = Callable[[str], str]
Getter = Callable[[Any, str], Any]
Test = Callable[[Any], bool]


class Filter:
    """`kind_of` gives a path's kind (string, number, guid, time, bool) and refuses a path that does not exist; `get` reads it from a row."""

    def __init__(self, text: str, kind_of: Typed, get: Getter) -> None:
        self._text, self._kind_of, self._get, self._tokens, self._at = text, kind_of, get, _tokens(text), 0

    def parse(self) -> Test:
        test = self._any()
        if self._at < len(self._tokens):
            raise self._wrong()
        return test

    def _any(self) -> Test:
        tests = [self._all()]
        while self._take("name", "or"):
            tests.append(self._all())
        return lambda row: any(test(row) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._take("name", "and"):
            tests.append(self._one())
        return lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._take("name", "not"):
            inner = self._one()
            return lambda row: not inner(row)
        if self._take("sign", "("):
            test = self._any()
            self._need("sign", ")")
            return test
        name = self._need("name")
        return self._function(name) if name in FUNCTIONS else self._comparison(name)

    def _function(self, name: str) -> Test:
        self._need("sign", "(")
        path = self._path(self._need("name"), "string")
        self._need("sign", ",")
        literal = self._literal()
        self._need("sign", ")")
        if literal.kind != "string":
            raise self._wrong()
        pattern = like(literal.value, name)
        return lambda row: bool(pattern.fullmatch(str(self._get(row, path) or "")))

    def _comparison(self, name: str) -> Test:
        path, sign = self._path(name), self._need("name")
        literal = self._literal()
        kind = self._kind_of(path)
        if sign not in COMPARISONS:
            raise self._wrong()
        if literal.value is not None and literal.kind != kind:
            raise bad_query(f"A binary operator with incompatible types was detected. Found operand types '{kind}' and '{literal.kind}' for operator '{sign}'.")
        if kind == "guid" and sign not in ("eq", "ne") and literal.value is not None:
            raise bad_query(f"The {sign} operator is not valid for an attribute of type uniqueidentifier.")
        return lambda row: compare(sign, self._get(row, path), literal.value)

    def _path(self, name: str, kind: str = "") -> str:
        if kind and self._kind_of(name) != kind:
            raise bad_query("No function signature for the function matches the specified arguments.")
        self._kind_of(name)
        return name

    def _literal(self) -> Literal:
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        self._at += 1
        if kind == "name" and text in WORDS:
            return Literal("bool" if text != "null" else "null", WORDS[text])
        if kind == "string":
            return Literal(kind, text[1:-1].replace("''", "'"))
        if kind == "number":
            return Literal(kind, float(text))
        if kind in ("guid", "time"):
            return Literal(kind, text.lower() if kind == "guid" else text)
        raise self._wrong()

    def _take(self, kind: str, text: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == (kind, text):
            self._at += 1
            return True
        return False

    def _need(self, kind: str, text: str = "") -> str:
        found = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        if found[0] != kind or (text and found[1] != text):
            raise self._wrong()
        self._at += 1
        return found[1]

    def _wrong(self) -> Exception:
        return bad_query(f"Syntax error at position {self._at} in '{self._text}'.")


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if not match:
            raise bad_query(f"Syntax error: character '{text[at]}' is not valid at position {at} in '{text}'.")
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        at = match.end()
    return found


def compare(sign: str, value: Any, wanted: Any) -> bool:
    if wanted is None or value is None:
        return (sign == "eq") == (value is None and wanted is None) if sign in ("eq", "ne") else False
    left, right = (value.casefold(), wanted.casefold()) if isinstance(value, str) and isinstance(wanted, str) else (value, wanted)
    return {"eq": left == right, "ne": left != right}[sign] if sign in ("eq", "ne") else bool({
        "gt": left > right, "ge": left >= right, "lt": left < right, "le": left <= right,
    }[sign])  # fmt: skip


def like(text: str, function: str) -> re.Pattern[str]:
    """SQL's wildcards work in these functions: % any text, _ any sign, [..] one of a set."""
    pieces = [_piece(match) for match in re.finditer(r"%|_|\[[^\]]*\]|.", text, re.DOTALL)]
    before, after = {"contains": (".*", ".*"), "startswith": ("", ".*"), "endswith": (".*", "")}[function]
    return re.compile(before + "".join(pieces) + after, re.IGNORECASE | re.DOTALL)


def _piece(match: re.Match[str]) -> str:
    sign = match[0]
    if len(sign) > 1:
        return f"[{re.escape(sign[1:-1])}]"
    return {"%": ".*", "_": "."}.get(sign, re.escape(sign))


@dataclass(frozen=True)
class Expansion:
    navigation: str
    options: Mapping[str, str]


def parse_expand(text: str) -> list[Expansion]:
    """`nav($select=a,b;$filter=...),other`"""
    return [_expansion(item) for item in split(text, ",") if item.strip()]


def _expansion(item: str) -> Expansion:
    name, opened, rest = item.strip().partition("(")
    if opened and not rest.endswith(")"):
        raise bad_query(f"Syntax error in expand '{item}'.")
    pairs = [option.partition("=") for option in split(rest[:-1], ";")] if opened else []
    return Expansion(name, {key.strip().removeprefix("$"): value for key, _, value in pairs})


def split(text: str, at: str) -> list[str]:
    """At a sign that stands in no parentheses and no string."""
    pieces, depth, quoted, begin = [], 0, False, 0
    for place, sign in enumerate(text):
        quoted ^= sign == "'"
        depth += 0 if quoted else (sign == "(") - (sign == ")")
        if sign == at and not depth and not quoted:
            pieces.append(text[begin:place])
            begin = place + 1
    return [*pieces, text[begin:]]
