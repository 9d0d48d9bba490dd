"""The organisation: its records, who wrote them, and the rules that Dynamics keeps whatever the way in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tests.kit.dynamics.errors import DataverseError, bad_value, duplicate_key, not_found
from tests.kit.dynamics.schema import LOOKUPS, NUMBERS, TEXTS, Column, Table, make_tables

Row = dict[str, Any]
ACTIVE, RESOLVED, CANCELLED, MERGED = 0, 1, 2, 2000
_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?")


def now_utc() -> datetime:
    return datetime.now(UTC)


@dataclass
class Org:
    """A lookup is kept as (table, id). A row is never changed in place, so that a change set can be undone by its rows as they were."""

    clock: Callable[[], datetime] = now_utc
    tables: dict[str, Table] = field(default_factory=make_tables)
    records: dict[str, dict[str, Row]] = field(default_factory=dict)
    graves: list[tuple[int, str, str]] = field(default_factory=list)
    locks: dict[str, int] = field(default_factory=dict)
    version: int = 1_000
    numbers: int = 1_000

    def __post_init__(self) -> None:
        self.records = {name: {} for name in self.tables}
        self.app = self.add("systemuser", by="", fullname="Caseline")
        self.person = self.add("systemuser", by="", fullname="Grace")

    # ---- reading

    def rows(self, table: str) -> list[Row]:
        return list(self.records[table].values())

    def get(self, table: str, record_id: str) -> Row:
        found = self.records[table].get(record_id.lower())
        if found is None:
            raise not_found(table, record_id)
        return found

    def find(self, table: str, column: str, value: Any) -> Row | None:
        return next((row for row in self.rows(table) if row.get(column) is not None and row[column] == value), None)

    # ---- writing

    def add(self, table: str, by: str | None = None, **values: Any) -> str:
        """By a person unless told."""
        return str(self.create(table, values, self.person if by is None else by)[self.tables[table].key])

    def create(self, table: str, values: Mapping[str, Any], user: str) -> Row:
        kind, record_id = self.tables[table], str(values.get(self.tables[table].key) or uuid4()).lower()
        if record_id in self.records[table]:
            raise duplicate_key(table)
        author = ("systemuser", user or record_id)
        stamp = {"createdon": self._now(), "createdby": author, "ownerid": author}
        state = {"statecode": ACTIVE, "statuscode": 1} if "statecode" in kind.columns else {}
        row = {**stamp, **state, **_defaults(self, table), **self._valid(kind, values), kind.key: record_id}
        _check_created(self, table, row)
        return self._put(kind, row, author)

    def update(self, table: str, record_id: str, values: Mapping[str, Any], user: str) -> Row:
        kind, row = self.tables[table], self.get(table, record_id)
        if self.locks.get(row[kind.key], 0) > 0:
            self.locks[row[kind.key]] -= 1
            raise DataverseError(400, "0x80071151", "Cannot obtain lock on resource, another operation is currently running on this record.")
        if table == "incident":
            _check_case_update(row, values)
        return self._put(kind, {**row, **self._valid(kind, values), kind.key: row[kind.key]}, ("systemuser", user))

    def edit(self, table: str, record_id: str, **values: Any) -> Row:
        """By a person, past the rules of the API."""
        kind, row = self.tables[table], self.get(table, record_id)
        return self._put(kind, {**row, **values}, ("systemuser", self.person))

    def delete(self, table: str, record_id: str) -> None:
        row = self.get(table, record_id)
        del self.records[table][row[self.tables[table].key]]
        self.graves.append((self._next(), table, record_id.lower()))
        for other in ("annotation", "email", "queueitem") if table == "incident" else ():
            for child in [child for child in self.rows(other) if (table, record_id) in child.values()]:
                self.delete(other, child[self.tables[other].key])

    def _put(self, kind: Table, row: Row, author: tuple[str, str]) -> Row:
        self._check_keys(kind, row)
        row |= {"modifiedon": self._now(), "modifiedby": author, "versionnumber": self._next()}
        self.records[kind.name][row[kind.key]] = row
        return row

    def _check_keys(self, kind: Table, row: Row) -> None:
        for key in kind.keys:
            mine = [row.get(column) for column in key.columns]
            if None not in mine and any(other[kind.key] != row[kind.key] and [other.get(c) for c in key.columns] == mine for other in self.rows(kind.name)):
                raise duplicate_key(kind.name)

    def _valid(self, kind: Table, values: Mapping[str, Any]) -> Row:
        return {name: self._value(kind, kind.columns[name], value) for name, value in values.items()}

    def _value(self, kind: Table, column: Column, value: Any) -> Any:
        if value is None or column.type in LOOKUPS:
            return value
        why = _fault(column, value)
        if why:
            raise bad_value(column.name, kind.name, why)
        return round(value, column.places) if column.type == "Decimal" else value

    # ---- what only actions do

    def close(self, record_id: str, status: int, subject: str, user: str) -> None:
        row = self.get("incident", record_id)
        if row["statecode"] != ACTIVE:
            raise DataverseError(400, "0x80040265", "This case has already been resolved.")
        if self.locks.get(record_id, 0) > 0:
            self.locks[record_id] -= 1
            raise DataverseError(400, "0x80071151", "Cannot obtain lock on resource, another operation is currently running on this record.")
        self.create("incidentresolution", {"subject": subject, "incidentid": ("incident", record_id)}, user)
        self._put(self.tables["incident"], {**row, "statecode": RESOLVED, "statuscode": status}, ("systemuser", user))

    def merge(self, target: str, subordinate: str, user: str) -> None:
        row = self.get("incident", subordinate)
        merged = {"statecode": CANCELLED, "statuscode": MERGED, "masterid": ("incident", self.get("incident", target)["incidentid"]), "merged": True}
        self._put(self.tables["incident"], {**row, **merged}, ("systemuser", user))

    def to_queue(self, queue_id: str, record_id: str, user: str) -> str:
        self.get("queue", queue_id)
        self.get("incident", record_id)
        standing = self.find("queueitem", "objectid", ("incident", record_id))
        if standing:
            return str(self.update("queueitem", standing["queueitemid"], {"queueid": ("queue", queue_id)}, user)["queueitemid"])
        return str(self.create("queueitem", {"queueid": ("queue", queue_id), "objectid": ("incident", record_id)}, user)["queueitemid"])

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """A change set. Locks that were met stay met."""
        before = {name: dict(rows) for name, rows in self.records.items()}
        try:
            yield
        except DataverseError:
            self.records = before
            raise

    def _now(self) -> str:
        return f"{self.clock():%Y-%m-%dT%H:%M:%SZ}"

    def _next(self) -> int:
        self.version += 1
        return self.version


def _defaults(org: Org, table: str) -> Row:
    if table != "incident":
        return {}
    org.numbers += 1
    return {"ticketnumber": f"CAS-{org.numbers:05}-Q7X2", "prioritycode": 2, "title": None}


def _check_created(org: Org, table: str, row: Row) -> None:
    if table in ("contact", "lead"):
        row["fullname"] = row.get("fullname") or " ".join(filter(None, (row.get("firstname"), row.get("lastname"))))
    if table == "annotation" and row.get("objectid"):
        row["objecttypecode"] = row["objectid"][0]
    if table == "incident" and not row.get("customerid"):
        raise DataverseError(400, "0x80040203", "You should specify a parent contact or account.")
    if table == "incident" and not row.get("title"):
        raise DataverseError(400, "0x80040203", "Required field 'title' is missing.")
    if table == "queueitem" and any(other.get("objectid") == row.get("objectid") for other in org.rows("queueitem")):
        raise DataverseError(400, "0x80044189", "The item is in another queue already.")
    for name, value in row.items():
        if isinstance(value, tuple) and name not in ("createdby", "ownerid"):
            org.get(*value)


def _check_case_update(row: Row, values: Mapping[str, Any]) -> None:
    """A resolved or cancelled case is read-only until it is active again, and is resolved by CloseIncident alone."""
    if row["statecode"] != ACTIVE and values.get("statecode") != ACTIVE:
        raise DataverseError(400, "0x80040265", "The case is resolved or cancelled and cannot be changed.")
    if values.get("statecode") not in (None, ACTIVE):
        raise DataverseError(400, "0x80040265", "Use CloseIncident to resolve a case.")


def _fault(column: Column, value: Any) -> str:
    if column.type in TEXTS:
        return "" if isinstance(value, str) and len(value.encode("utf-16-le")) // 2 <= column.length else "is no text or exceeds its maximum length"
    if column.type == "Boolean":
        return "" if isinstance(value, bool) else "is no boolean"
    if column.type == "DateTime":
        return "" if isinstance(value, str) and _TIME.fullmatch(value) else "is no time"
    if column.type in NUMBERS:
        return _number_fault(column, value)
    return ""


def _number_fault(column: Column, value: Any) -> str:
    whole = column.type in ("Integer", "Picklist", "State", "Status")
    if isinstance(value, bool) or not isinstance(value, int | float) or (isinstance(value, float) and whole):
        return "is no number of that type"
    if column.options and value not in column.options:
        return "is outside the valid range of options"
    return "" if column.low <= value <= column.high else "is outside the valid range"
