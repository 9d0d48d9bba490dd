"""ServiceNow's encoded queries: `^` is and, `^OR` binds before it, `^NQ` begins another query; a term that is not understood is left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.kit.servicenow.instance import Instance, Row

OPERATORS = (
    "ISNOTEMPTY", "ISEMPTY", "ANYTHING", "NOT LIKE", "NOT IN", "STARTSWITH", "ENDSWITH", "BETWEEN", "LIKE", "IN", "!=", ">=", "<=", "=", ">", "<",
)  # fmt: skip
_TERM = re.compile(rf"([a-z][a-z0-9_.]*)({'|'.join(OPERATORS)})(.*)\Z", re.DOTALL)
_DATE = re.compile(r"javascript:gs\.dateGenerate\('([0-9-]{10})','([0-9:]{8})'\)\Z")


def run_query(instance: Instance, table: str, query: str) -> list[Row]:
    """Rows that match any of the queries, in order; by default as they were made."""
    parts, order = [], list[tuple[str, bool]]()
    for part in query.split("^NQ"):
        groups = list[list[str]]()
        for term in part.split("^"):
            if term.startswith("ORDERBY"):
                order.append((term.removeprefix("ORDERBY").removeprefix("DESC"), term.startswith("ORDERBYDESC")))
            elif term.startswith("OR") and groups:
                groups[-1].append(term[2:])
            elif term and term != "EQ":
                groups.append([term])
        parts.append(groups)
    found = [row for row in instance.rows(table) if any(all(_any(instance, table, row, group) for group in groups) for groups in parts)]
    for name, down in reversed(order):
        kind = instance.fields(table).get(name, "string")
        found.sort(key=lambda row: _key(kind, row.get(name, "")), reverse=down)
    return found


def _any(instance: Instance, table: str, row: Row, terms: list[str]) -> bool:
    answers = [answer for term in terms if (answer := _matches(instance, table, row, term)) is not None]
    return any(answers) or not answers


def _matches(instance: Instance, table: str, row: Row, term: str) -> bool | None:
    """None where the term is not understood."""
    found = _TERM.match(term)
    if not found:
        return None
    name, operator, wanted = found.groups()
    value = instance.walk(table, row, name)
    if value is None:
        return None
    return _compare(instance, instance.fields(table).get(name, "string"), operator, value, _evaluate(instance, wanted))


def _evaluate(instance: Instance, wanted: str) -> str:
    """A value that begins so is a script, which the server runs."""
    if not wanted.lower().startswith("javascript:"):
        return wanted
    instance.scripts.append(wanted)
    found = _DATE.match(wanted)
    return f"{found[1]} {found[2]}" if found else ""


def _compare(instance: Instance, kind: str, operator: str, value: str, wanted: str) -> bool:
    simple: Mapping[str, Callable[[], bool]] = {
        "ISEMPTY": lambda: value == "", "ISNOTEMPTY": lambda: value != "", "ANYTHING": lambda: True,
        "LIKE": lambda: wanted.lower() in value.lower(), "NOT LIKE": lambda: wanted.lower() not in value.lower(),
        "STARTSWITH": lambda: value.lower().startswith(wanted.lower()), "ENDSWITH": lambda: value.lower().endswith(wanted.lower()),
        "IN": lambda: value.lower() in wanted.lower().split(","), "NOT IN": lambda: value.lower() not in wanted.lower().split(","),
    }  # fmt: skip
    if operator in simple:
        return simple[operator]()
    if operator == "BETWEEN":
        low, _, high = wanted.partition("@")
        return bool(_key(kind, low) <= _key(kind, value) <= _key(kind, high))
    one, other = _key(kind, value), _key(kind, wanted)
    if operator in (">", "<", ">=", "<=") and value == "":
        return False
    return bool({"=": one == other, "!=": one != other, ">": one > other, "<": one < other, ">=": one >= other, "<=": one <= other}[operator])


def _key(kind: str, text: str) -> Any:
    if kind.startswith(("integer", "decimal", "currency")):
        try:
            return 0, float(text)
        except ValueError:
            return 1, 0.0
    return text.lower()
