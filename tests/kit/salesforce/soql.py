"""A real parser for the part of SOQL (and SOSL) that integrations use. What it does not know is MALFORMED_QUERY, as in Salesforce."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.kit.salesforce.errors import malformed
from tests.kit.salesforce.ids import long_id

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>'(?:[^'\\]|\\.)*')|(?P<datetime>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d))?)|(?P<number>-?\d+(?:\.\d+)?)"""
    r"""|(?P<name>[A-Za-z_][\w.]*)|(?P<op><=|>=|!=|<>|=|<|>)|(?P<mark>[(),]))""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "b": "\b", '"': '"', "'": "'", "\\": "\\"}
_WORDS = frozenset("SELECT FROM WHERE AND OR NOT IN LIKE GROUP ORDER BY LIMIT OFFSET ASC DESC NULLS FIRST LAST TRUE FALSE NULL HAVING".split())
AGGREGATES = {"COUNT", "SUM", "MAX", "MIN", "AVG", "COUNT_DISTINCT"}
Row = Mapping[str, Any]
Get = Callable[[Row, str], Any]


@dataclass(frozen=True)
class Column:
    """A field path, or an aggregate over it; `alias` is what the answer calls an aggregate."""

    path: str
    function: str = ""
    alias: str = ""


@dataclass(frozen=True)
class Condition:
    path: str
    operator: str
    value: Any


@dataclass(frozen=True)
class Join:
    """`(SELECT column FROM entity WHERE ...)` on the right of IN."""

    query: Query


@dataclass
class Query:
    columns: list[Column]
    entity: str
    where: Any = None  # Condition | ("AND"|"OR", left, right) | ("NOT", inner)
    group: list[str] = field(default_factory=list)
    order: list[tuple[str, bool, bool]] = field(default_factory=list)  # path, descending, nulls last
    limit: int | None = None
    offset: int = 0

    def paths(self) -> list[str]:
        return [c.path for c in self.columns if c.path] + self.group + [path for path, _, _ in self.order]

    def filters(self) -> list[Condition]:
        return _conditions(self.where)


def _conditions(where: Any) -> list[Condition]:
    if where is None or isinstance(where, Condition):
        return [where] if where else []
    return [found for part in where[1:] for found in _conditions(part)]


def parse(text: str) -> Query:
    query = _Parser(text).query()
    _check_joins(query)
    return query


def _check_joins(query: Query) -> None:
    """As documented: at most two, side by side with AND, none inside another, and nothing but a condition in them."""
    joins = [condition.value.query for condition in query.filters() if isinstance(condition.value, Join)]
    if len(joins) > 2:
        raise malformed("maximum 2 semi join sub-selects are allowed")
    if any(_has_join(part) for part in _either_sides(query.where)):
        raise malformed("Semi join sub-selects are not allowed with the 'OR' operator")
    for join in joins:
        if len(join.columns) != 1 or join.columns[0].function or "." in join.columns[0].path:
            raise malformed("semi join sub-selects select one id field")
        if join.order or join.limit is not None or join.group or join.offset or any(_has_join(c) for c in join.filters()):
            raise malformed("COUNT, FOR UPDATE, ORDER BY, LIMIT and another sub-select are not allowed in a semi join sub-select")


def _has_join(where: Any) -> bool:
    return any(isinstance(condition.value, Join) for condition in _conditions(where))


def _either_sides(where: Any) -> list[Any]:
    if where is None or isinstance(where, Condition):
        return []
    return list(where[1:]) if where[0] in ("OR", "NOT") else [found for part in where[1:] for found in _either_sides(part)]


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens, self.at = _tokens(text), 0

    def query(self) -> Query:
        query = self.select()
        if self.at != len(self.tokens):
            raise malformed(f"unexpected token: '{self.tokens[self.at][1]}'")
        return query

    def select(self) -> Query:
        self.need("SELECT")
        columns = [self.column(0)]
        while self.take(","):
            columns.append(self.column(len(columns)))
        self.need("FROM")
        query = Query(columns, self.name())
        if self.take("WHERE"):
            query.where = self.either()
        if self.take("GROUP"):
            self.need("BY")
            query.group = self.names()
        if self.take("ORDER"):
            self.need("BY")
            query.order = self.orders()
        query.limit = self.count() if self.take("LIMIT") else None
        query.offset = self.count() if self.take("OFFSET") else 0
        return query

    def column(self, place: int) -> Column:
        name = self.name()
        if not self.take("("):
            return Column(name)
        if name.upper() not in AGGREGATES:
            raise malformed(f"unknown function: {name}")
        path = "" if self.peek() == ("mark", ")") else self.name()
        self.need(")")
        alias = self.name() if self.peek()[0] == "name" and str(self.peek()[1]).upper() not in _WORDS else f"expr{place}"
        return Column(path, name.upper(), alias)

    def names(self) -> list[str]:
        found = [self.name()]
        while self.take(","):
            found.append(self.name())
        return found

    def orders(self) -> list[tuple[str, bool, bool]]:
        found = []
        while True:
            path, descending = self.name(), False
            if self.take("DESC"):
                descending = True
            else:
                self.take("ASC")
            last = False
            if self.take("NULLS"):
                last = self.take("LAST")
                if not last:
                    self.need("FIRST")
            found.append((path, descending, last))
            if not self.take(","):
                return found

    def either(self) -> Any:
        """SOQL refuses AND and OR side by side without parentheses."""
        left, used = self.term(), set()
        while (word := self.word()) in ("AND", "OR"):
            self.at += 1
            used.add(word)
            if len(used) > 1:
                raise malformed("unexpected token: mixing AND and OR needs parentheses")
            left = (word, left, self.term())
        return left

    def term(self) -> Any:
        if self.take("NOT"):
            return ("NOT", self.term())
        if self.take("("):
            inner = self.either()
            self.need(")")
            return inner
        return self.condition()

    def condition(self) -> Condition:
        path = self.name()
        if self.take("NOT"):
            self.need("IN")
            return Condition(path, "NOT IN", self.values_or_join())
        if self.take("IN"):
            return Condition(path, "IN", self.values_or_join())
        if self.take("LIKE"):
            return Condition(path, "LIKE", self.pattern())
        kind, operator = self.next()
        if kind != "op":
            raise malformed(f"unexpected token: '{operator}'")
        return Condition(path, "!=" if operator == "<>" else operator, self.value())

    def values_or_join(self) -> Any:
        if self.tokens[self.at + 1 : self.at + 2] and self.tokens[self.at + 1][1].upper() != "SELECT":
            return self.values()
        self.need("(")
        join = Join(self.select())
        self.need(")")
        return join

    def values(self) -> list[Any]:
        self.need("(")
        found = [self.value()]
        while self.take(","):
            found.append(self.value())
        self.need(")")
        return found

    def value(self) -> Any:
        kind, text = self.next()
        if kind == "string":
            return _unescape(text, "")
        if kind == "number":
            return float(text)
        if kind == "datetime":
            return text
        words: dict[str, Any] = {"TRUE": True, "FALSE": False, "NULL": None}
        if kind == "name" and text.upper() in words:
            return words[text.upper()]
        raise malformed(f"unexpected token: '{text}'")

    def pattern(self) -> re.Pattern[str]:
        kind, text = self.next()
        if kind != "string":
            raise malformed("LIKE takes a string")
        return _like(_unescape(text, "%_"))

    def count(self) -> int:
        kind, text = self.next()
        if kind != "number" or not text.isdigit():
            raise malformed(f"unexpected token: '{text}'")
        return int(text)

    def name(self) -> str:
        kind, text = self.next()
        if kind != "name":
            raise malformed(f"unexpected token: '{text}'")
        return text

    def word(self) -> str:
        kind, text = self.peek()
        return text.upper() if kind == "name" else text

    def take(self, text: str) -> bool:
        found = self.peek()[0] in ("name", "mark") and self.word() == text
        self.at += found
        return found

    def need(self, text: str) -> None:
        if not self.take(text):
            raise malformed(f"expecting {text}, found '{self.peek()[1]}'")

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "<EOF>")

    def next(self) -> tuple[str, str]:
        found = self.peek()
        self.at += 1
        return found


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if not match:
            raise malformed(f"line 1:{at} no viable alternative at character '{text[at:].strip()[0]}'")
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        at = match.end()
    return found


def _unescape(literal: str, kept: str) -> str:
    r"""`kept` are the characters whose escape stays for LIKE; any other unknown escape is refused, as Salesforce does."""

    def one(match: re.Match[str]) -> str:
        char = match[1]
        if char in kept:
            return f"\\{char}"
        if char == "\\" and kept:
            return "\\\\"
        if char not in _ESCAPED:
            raise malformed(f"Invalid string literal '{literal[1:-1][:60]}'. Illegal character sequence '\\{char}' in string literal.")
        return _ESCAPED[char]

    return re.sub(r"\\(.)", one, literal[1:-1], flags=re.DOTALL)


def _like(pattern: str) -> re.Pattern[str]:
    parts = []
    for match in re.finditer(r"\\(.)|(.)", pattern, re.DOTALL):
        wild = {"%": ".*", "_": "."}.get(match[2] or "")
        parts.append(wild if wild else re.escape(match[1] or match[2]))
    return re.compile("".join(parts) + r"\Z", re.DOTALL | re.IGNORECASE)


def matches(where: Any, row: Row, get: Get) -> bool:
    if where is None:
        return True
    if isinstance(where, Condition):
        return _holds(where, get(row, where.path))
    if where[0] == "NOT":
        return not matches(where[1], row, get)
    sides = (matches(part, row, get) for part in where[1:])
    return all(sides) if where[0] == "AND" else any(sides)


def _holds(condition: Condition, found: Any) -> bool:
    operator, value = condition.operator, condition.value
    if operator == "LIKE":
        return isinstance(found, str) and bool(value.match(found))
    if operator in ("IN", "NOT IN"):
        inside = _folded(found) in [_folded(each) for each in value]
        return inside is (operator == "IN")
    if operator in ("=", "!="):
        return (_folded(found) == _folded(value)) is (operator == "=")
    if found is None or value is None:
        return False
    left, right = _folded(found), _folded(value)
    try:
        return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[operator]
    except TypeError:
        raise malformed(f"value of filter criterion for field '{condition.path}' must be of another type") from None


def _folded(value: Any) -> Any:
    """Text compares without regard to case; ids in their 18 characters; times in one spelling."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return float(value)
    text = str(value)
    if re.match(r"\d{4}-\d\d-\d\dT", text):
        return re.sub(r"(\.\d+)?(Z|[+-]00:?00)\Z", "", text)
    return long_id(text).casefold()


_SOSL = re.compile(
    r"FIND\s*\{(?P<terms>(?:[^\\}]|\\.)*)\}\s*(?:IN\s+(?P<scope>\w+)\s+FIELDS)?\s*(?:RETURNING\s+(?P<returning>.*))?\Z", re.IGNORECASE | re.DOTALL
)
_RESERVED = re.compile(r"(?<!\\)[?&|!\[\]()^~:\"'+\-]")


def parse_search(text: str) -> tuple[list[str], str, str, list[str]]:
    """(terms joined by OR, scope, entity or "" for all, columns) of `FIND {a OR b} IN PHONE FIELDS RETURNING Contact(Id LIMIT 5)`."""
    found = _SOSL.match(text.strip())
    returned = re.match(r"(\w*)\s*(?:\(([^)]*)\))?\s*\Z", found["returning"] or "") if found else None
    if not found or not returned or _RESERVED.search(found["terms"]):
        raise malformed("line 1: unexpected token in SOSL")
    columns = re.sub(r"\bLIMIT\s+\d+\s*\Z", "", returned[2] or "Id", flags=re.IGNORECASE)
    terms = [re.sub(r"\\(.)", r"\1", term.strip()) for term in re.split(r"\s+OR\s+", found["terms"])]
    if any(len(term) < 2 for term in terms):
        raise malformed("search term must be longer than one character")
    return terms, (found["scope"] or "ALL").upper(), returned[1], [name.strip() for name in columns.split(",") if name.strip()]
