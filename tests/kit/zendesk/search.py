"""Zendesk's search: `email:"ann@example.com" status<solved words`. Terms of one property are alternatives, all others have to be true together."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.kit.zendesk.desk import STATUSES, Desk, Row
from tests.kit.zendesk.errors import ZendeskError

TERM = re.compile(r'\s*(?P<not>-)?(?:(?P<name>[A-Za-z_][\w.]*)(?P<op>:|<=|>=|<|>))?(?:"(?P<phrase>[^"]*)"|(?P<word>[^\s"]+))')
TOO_LONG = 8_000


@dataclass(frozen=True)
class Term:
    name: str
    op: str
    value: str
    is_negative: bool


def read_query(query: str) -> list[Term]:
    if len(query) > TOO_LONG:
        raise ZendeskError(422, {"error": "invalid", "description": "Invalid search: query is too long"})
    terms, at = [], 0
    while query[at:].strip():
        found = TERM.match(query, at)
        if not found or query[at:].count('"') % 2:
            raise ZendeskError(422, {"error": "invalid", "description": f"Invalid search: {query}"})
        at = found.end()
        value = found["word"] if found["phrase"] is None else found["phrase"]
        terms.append(Term((found["name"] or "").lower(), found["op"] or ":", value, bool(found["not"])))
    return terms


def search(desk: Desk, query: str, kind: str = "") -> list[tuple[str, Row]]:
    """(type, record) of what matches and was written before the index was last brought up to date."""
    terms = read_query(query)
    kinds = {kind} if kind else {term.value for term in terms if term.name == "type"} or {"user", "organization", "ticket"}
    sources: dict[str, list[Row]] = {"user": list(desk.users.values()), "organization": list(desk.organizations.values()), "ticket": desk.live()}
    known_at = desk.clock() - timedelta(seconds=desk.lag)
    terms = [term for term in terms if term.name != "type"]
    return [(name, row) for name in sorted(kinds & set(sources)) for row in sources[name] if row["born"] <= known_at and _matches(row, name, terms)]


def _matches(row: Row, kind: str, terms: list[Term]) -> bool:
    groups: dict[tuple[str, str], list[Term]] = {}
    for term in terms:
        groups.setdefault((term.name or term.value, term.op), []).append(term)
    return all(any(_holds(row, kind, term) != term.is_negative for term in group) for group in groups.values())


def _holds(row: Row, kind: str, term: Term) -> bool:
    if term.name == "status" and kind == "ticket":
        return _compare(STATUSES.index(row["status"]), term.op, STATUSES.index(term.value)) if term.value in STATUSES else False
    if term.name in ("created", "updated"):
        return _compare(row[f"{term.name}_at"], term.op, term.value)
    if term.name in ("organization", "requester", "assignee"):
        return str(row.get(f"{term.name}_id")) == term.value
    if term.name == "tags":
        return term.value.casefold() in row["tags"]
    if term.name == "phone":
        return _ends(row.get("phone"), term.value)
    if term.name in ("email", "external_id", "priority", "role"):
        return term.op == ":" and str(row.get(term.name) or "").casefold() == term.value.casefold()
    if term.name in ("", "name", "subject"):
        texts = (row.get(term.name),) if term.name else (row.get("name"), row.get("email"), row.get("subject"), row.get("phone"))
        return any(_says(text, term.value) for text in texts)
    return _says((row.get(f"{kind}_fields") or {}).get(term.name), term.value)


def _compare(value: Any, op: str, other: Any) -> bool:
    tests: dict[str, Callable[[], bool]] = {
        ":": lambda: value == other, "<": lambda: value < other, ">": lambda: value > other, "<=": lambda: value <= other, ">=": lambda: value >= other,
    }  # fmt: skip
    return tests[op]()


def _ends(phone: Any, value: str) -> bool:
    digits, wanted = re.sub(r"\D", "", str(phone or "")), re.sub(r"\D", "", value)
    return bool(digits and wanted) and (digits.endswith(wanted) if value.startswith("*") else digits == wanted)


def _says(text: Any, value: str) -> bool:
    """Whether the words stand there in this order; a star at the end stands for the rest of a word."""
    words, wanted = _words(text), _words(value)
    places = range(len(words) - len(wanted) + 1) if wanted else ()
    if value.endswith("*"):
        return any(words[at : at + len(wanted) - 1] == wanted[:-1] and words[at + len(wanted) - 1].startswith(wanted[-1]) for at in places)
    return any(words[at : at + len(wanted)] == wanted for at in places)


def _words(text: Any) -> list[str]:
    return re.findall(r"\w+", str(text or "").casefold())
