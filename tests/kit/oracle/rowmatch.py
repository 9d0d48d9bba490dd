"""The framework's row-match expressions, as `q` has them from version 2 on: comparisons, LIKE, IS NULL, AND, OR, NOT, parentheses, UPPER."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tests.kit.oracle.errors import AdfError

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_]\w*)|(?P<sign><>|!=|<=|>=|[=<>();]))")
Row = Mapping[str, Any]
Test = Callable[[Row], bool]


def parse_rowmatch(text: str, check: Callable[[str], str]) -> Test:
    """`check` gives the type of an attribute, or raises for one that is unknown."""
    parser = _Parser(_tokens(text), check)
    test = parser.either()
    if parser.left:
        raise _malformed()
    return test


def _malformed() -> AdfError:
    return AdfError(400, "URL request parameter q cannot be used in this context.", "27520")


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if not match or not match.lastgroup:
            raise _malformed()
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], check: Callable[[str], str]) -> None:
        self.left, self._check = tokens, check

    def either(self) -> Test:
        tests = [self.both()]
        while self._word("OR"):
            tests.append(self.both())
        return lambda row: any(test(row) for test in tests)

    def both(self) -> Test:
        tests = [self.one()]
        while self._word("AND") or self._sign(";"):
            tests.append(self.one())
        return lambda row: all(test(row) for test in tests)

    def one(self) -> Test:
        if self._word("NOT"):
            test = self.one()
            return lambda row: not test(row)
        if self._sign("("):
            test = self.either()
            if not self._sign(")"):
                raise _malformed()
            return test
        return self._comparison()

    def _comparison(self) -> Test:
        upper = self._word("UPPER") and self._sign("(")
        name = self._take("word")
        kind = self._check(name)
        if upper and not self._sign(")"):
            raise _malformed()
        if self._word("IS"):
            wanted = self._word("NOT")
            if not self._word("NULL"):
                raise _malformed()
            return lambda row: (row.get(name) not in (None, "")) == wanted
        if self._word("LIKE"):
            pattern = re.compile(".*".join(map(re.escape, re.split(r"[%*]", self._value()))).replace("_", "."), re.DOTALL)
            return lambda row: bool(pattern.fullmatch(_text(row.get(name), upper)))
        sign = self._take("sign")
        if sign not in _SIGNS:
            raise _malformed()
        value = _key(kind, self._value())
        return lambda row: row.get(name) not in (None, "") and _SIGNS[sign](_key(kind, _text(row.get(name), upper)), value)

    def _value(self) -> str:
        if not self.left or self.left[0][0] not in ("text", "number"):
            raise _malformed()
        kind, text = self.left.pop(0)
        return text[1:-1].replace("''", "'") if kind == "text" else text

    def _take(self, kind: str) -> str:
        if not self.left or self.left[0][0] != kind:
            raise _malformed()
        return self.left.pop(0)[1]

    def _word(self, word: str) -> bool:
        return self._is("word", word)

    def _sign(self, sign: str) -> bool:
        return self._is("sign", sign)

    def _is(self, kind: str, text: str) -> bool:
        found = bool(self.left) and self.left[0][0] == kind and self.left[0][1].upper() == text
        if found:
            self.left.pop(0)
        return found


def _text(value: Any, upper: bool = False) -> str:
    text = "" if value is None else str(value)
    return text.upper() if upper else text


def _key(kind: str, text: str) -> Any:
    try:
        if kind in ("integer", "number"):
            return float(text)
        return datetime.fromisoformat(text).timestamp() if kind == "datetime" else text
    except ValueError:
        raise AdfError(400, "A value of the query is of another type than its attribute.", "27522") from None


_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b), "<>": lambda a, b: bool(a != b), "!=": lambda a, b: bool(a != b), "<": lambda a, b: bool(a < b),
    ">": lambda a, b: bool(a > b), "<=": lambda a, b: bool(a <= b), ">=": lambda a, b: bool(a >= b),
}  # fmt: skip
