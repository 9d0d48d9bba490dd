"""A tenant's records, and who may do what. Records are kept flat, by column; V2 shows a dotted column as an object."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from tests.kit.simulated import Call

USER, PASSWORD, CLIENT_ID, CLIENT_SECRET = "_CASELINE", "a-password-of-the-technical-user", "caseline", "a-client-secret"
APP, PERSON = "Caseline", "Ann Marsh"
Row = dict[str, Any]


class SapError(Exception):
    """`target` is the field that it is about."""

    def __init__(self, status: int, code: str, message: str, target: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.target = status, code, message, target


@dataclass
class Table:
    """`columns` are known, by kind: string, number, bool, time, id, list; `stamps` are those of the last change: when and by whom."""

    name: str
    key: str
    columns: dict[str, str]
    stamps: tuple[str, str] = ("", "")
    required: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    rows: dict[str, Row] = field(default_factory=dict)

    def kind(self, column: str) -> str:
        return self.columns[column]


class Tenant:
    def __init__(self, tables: Mapping[str, Table], clock: Callable[[], datetime], make_id: Callable[[], str]) -> None:
        self.tables, self.clock, self._make_id, self._number = dict(tables), clock, make_id, 1_000
        self.versions: dict[str, int] = {}
        self.locks: dict[str, int] = {}

    def number(self) -> str:
        self._number += 1
        return str(self._number)

    def add(self, table: str, values: Mapping[str, Any], by: str = PERSON) -> Row:
        found = self.tables[table]
        row: Row = {found.key: self._make_id(), **values}
        found.rows[row[found.key]] = row
        return self._stamp(found, row, by)

    def edit(self, table: str, record_id: str, values: Mapping[str, Any], by: str = PERSON) -> Row:
        found = self.tables[table]
        row = found.rows[record_id]
        row |= values
        return self._stamp(found, row, by)

    def delete(self, table: str, record_id: str) -> None:
        del self.tables[table].rows[record_id]

    def find(self, table: str, column: str, value: Any) -> Row:
        return next(row for row in self.tables[table].rows.values() if row.get(column) == value)

    def refuse_locked(self, record_id: str, status: int) -> None:
        if self.locks.get(record_id, 0) > 0:
            self.locks[record_id] -= 1
            raise SapError(status, "LOCKED", f"Object {record_id} is locked by user {PERSON}")

    def version(self, record_id: str) -> int:
        return self.versions.get(record_id, 0)

    def _stamp(self, table: Table, row: Row, by: str) -> Row:
        self.versions[row[table.key]] = self.version(row[table.key]) + 1
        when, who = table.stamps
        return row if not when else _set(row, {when: self.clock(), who: by})


@dataclass
class Sessions:
    """Logins: a technical user with CSRF tokens bound to a cookie, tokens of OAuth clients."""

    passwords: set[str] = field(default_factory=lambda: {PASSWORD})
    secrets: set[str] = field(default_factory=lambda: {CLIENT_SECRET})
    tokens: set[str] = field(default_factory=set)
    csrf: dict[str, str] = field(default_factory=dict)

    def is_user(self, call: Call) -> bool:
        given = call.headers.get("Authorization") or ""
        return any(given == "Basic " + b64encode(f"{USER}:{password}".encode()).decode() for password in self.passwords)

    def is_client(self, call: Call) -> bool:
        return (call.headers.get("Authorization") or "").removeprefix("Bearer ") in self.tokens

    def begin(self) -> tuple[str, str]:
        cookie, token = uuid4().hex, b64encode(uuid4().bytes).decode()
        self.csrf[cookie] = token
        return cookie, token

    def may_write(self, call: Call) -> bool:
        cookies = dict(pair.strip().partition("=")[::2] for pair in (call.headers.get("Cookie") or "").split(";"))
        token = call.headers.get("x-csrf-token") or ""
        return bool(token) and self.csrf.get(cookies.get("SAP_SESSIONID", "")) == token

    def grant(self, form: Mapping[str, str]) -> str | None:
        if form.get("client_id") != CLIENT_ID or form.get("client_secret") not in self.secrets:
            return None
        token = uuid4().hex
        self.tokens.add(token)
        return token


def _set(row: Row, values: Mapping[str, Any]) -> Row:
    row |= values
    return row
