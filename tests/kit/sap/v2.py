"""Sales and Service Cloud V2: services of JSON records wrapped in `value`, ETags in headers only, no batch, no upsert, no next links."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4

from tests.kit.sap.filters import bad_query, select
from tests.kit.sap.tenant import APP, Row, SapError, Sessions, Table, Tenant
from tests.kit.simulated import Call, Reply
from tests.kit.simulated import Simulator as Base

ROOT, TOKEN = "/sap/c4c/api/v1", "/oauth2/api/v1/token"
MOST, LONG, SHORT = 1_000, 60_000, 255
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
STAMPS = ("adminData.updatedOn", "adminData.updatedByName")
_ADMIN = {"adminData.updatedOn": "time", "adminData.updatedByName": "string", "adminData.updatedBy": "id"}
NUMBERS = ("version", "score", "sentiment", "last_nps", "last_csat", "last_ces", "unanswered", "health", "deal_value")
PROFILE = ("sentiment", "sentiment_trend", "last_nps", "last_csat", "last_ces", "unanswered", "channels", "last_contact", "health")
CASE = ("case_key", "version", "score", "band", "headline", "reasons", "category", "queue", "link", "outcome")
ACCOUNT = (
    "sentiment", "sentiment_trend", "unanswered", "last_contact", "health", "tier", "product_tier", "lifecycle", "deal_value", "currency", "renewal_date",
)  # fmt: skip


def named(key: str) -> str:
    return "CX" + "".join(word.capitalize() for word in key.split("_"))


def extensions(keys: Iterable[str], pattern: str = "extensions.{}") -> dict[str, str]:
    """By column: what kind it is."""
    kinds = {"last_contact": "time", "renewal_date": "string"} | dict.fromkeys(NUMBERS, "number")
    return {pattern.format(named(key)): kinds.get(key, "string") for key in keys}


def _texts(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "string")


def tables() -> dict[str, Table]:
    case = {
        "id": "id", **_texts("displayId", "subject", "priority", "origin", "caseType", "status", "processor.name"), "account.id": "id", "contact.id": "id",
        "processor.id": "id", "serviceTeam.id": "id", "notes": "list", **_ADMIN, **extensions((*CASE, "notes")),
    }  # fmt: skip
    contact = {
        "id": "id", "accountId": "id", **_texts("formattedName", "givenName", "familyName", "eMail", "phone", "mobile", "normalizedPhone", "normalizedMobile"),
        **_ADMIN, **extensions(("handles", "customer_key", *PROFILE)),
    }  # fmt: skip
    account = {"id": "id", **_texts("formattedName", "owner.formattedName"), "annualRevenue.content": "number", **_ADMIN, **extensions(ACCOUNT)}
    lead = {"id": "id", **_texts("name", "givenName", "familyName", "eMail", "phone"), **_ADMIN, **extensions(("customer_key",))}
    note = {"id": "id", **_texts("noteTypeCode", "content"), **_ADMIN}
    fixed = ("id", "displayId", "formattedName", "normalizedPhone", "normalizedMobile", "processor.name", *_ADMIN)
    return {
        "case-service/cases": Table("case", "id", case, STAMPS, ("subject", "caseType"), fixed),
        "contact-person-service/contactPersons": Table("contactPerson", "id", contact, STAMPS, ("givenName", "familyName"), fixed),
        "account-service/accounts": Table("account", "id", account, STAMPS, (), ("id", *_ADMIN)),
        "lead-service/leads": Table("lead", "id", lead, STAMPS, ("name",), ("id", *_ADMIN)),
        "note-service/notes": Table("note", "id", note, STAMPS, ("content", "noteTypeCode"), ("id", *_ADMIN)),
    }


CASES, CONTACTS, ACCOUNTS, LEADS, NOTES = tables()


class V2(Base):
    content_type = "application/json"

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.tenant, self.sessions, self.logins = Tenant(tables(), clock, lambda: str(uuid4())), Sessions(), 0

    def answer(self, call: Call) -> Reply:
        if call.path == TOKEN:
            self.logins += 1
            return self._grant(call)
        if not (self.sessions.is_user(call) or self.sessions.is_client(call)):
            return _refusal(SapError(401, "UNAUTHORIZED", "Unauthorized"))
        try:
            return self._with_csrf(call)
        except SapError as error:
            return _refusal(error)

    def _grant(self, call: Call) -> Reply:
        token = self.sessions.grant(call.form)
        return Reply(200, {"access_token": token, "token_type": "bearer", "expires_in": 3_599}) if token else Reply(401, {"error": "invalid_client"})

    def _with_csrf(self, call: Call) -> Reply:
        """A technical user's session proves its writes by a token; an OAuth client's token is proof enough."""
        wish = (call.headers.get("x-csrf-token") or "").lower()
        if call.method == "GET" and wish == "fetch":
            self.logins += 1
            cookie, token = self.sessions.begin()
            reply = self._route(call)
            return Reply(reply.status, reply.body, {**reply.headers, "x-csrf-token": token, "Set-Cookie": f"SAP_SESSIONID={cookie}; path=/; secure; HttpOnly"})
        if call.method != "GET" and self.sessions.is_user(call) and not self.sessions.may_write(call):
            return Reply(403, "CSRF token validation failed", {"x-csrf-token": "Required", "Content-Type": "text/plain"})
        return self._route(call)

    def _route(self, call: Call) -> Reply:
        found = re.fullmatch(rf"{ROOT}/([\w-]+/\w+)(?:/([^/]+))?", call.path)
        table = self.tenant.tables.get(found[1]) if found else None
        if not found or table is None:
            raise SapError(404, "NOT_FOUND", "No such service")
        if found[2] is None:
            return self._collection(call, found[1], table)
        return self._record(call, found[1], table, unquote(found[2]))

    def _collection(self, call: Call, path: str, table: Table) -> Reply:
        if call.method == "POST":
            return self._create(call, path, table)
        if call.method != "GET":
            raise SapError(405, "METHOD_NOT_ALLOWED", "Method not allowed")
        options = {name[1:]: value for name, value in parse_qsl(urlsplit(call.target).query) if name.startswith("$")}
        rows, count = select(table, options, False, MOST)
        return Reply(200, {"value": [self._show(row) for row in rows], **({"count": count} if options.get("count") == "true" else {})})

    def _record(self, call: Call, path: str, table: Table, record_id: str) -> Reply:
        if not _UUID.fullmatch(record_id):
            raise SapError(400, "INVALID_ID", "The id is not a UUID", "id")
        row = table.rows.get(record_id)
        if row is None:
            raise SapError(404, "NOT_FOUND", f"{table.name} {record_id} does not exist")
        if call.method == "PATCH":
            return self._patch(call, path, table, row)
        if call.method == "DELETE":
            self.tenant.delete(path, record_id)
            return Reply(204)
        return self._one(200, row)

    def _create(self, call: Call, path: str, table: Table) -> Reply:
        values = self._values(table, call.body)
        for column in table.required:
            if not values.get(column):
                raise SapError(400, "DATA_REQUIRED", f"Data is required -> {column}", column)
        return self._one(201, self.tenant.add(path, {**self._made(path), **values, **_derived(values)}, APP))

    def _made(self, path: str) -> Row:
        return {"displayId": self.tenant.number(), "priority": "03", "status": "01", "notes": []} if path == CASES else {}

    def _patch(self, call: Call, path: str, table: Table, row: Row) -> Reply:
        if "merge-patch+json" not in (call.headers.get("Content-Type") or ""):
            raise SapError(415, "UNSUPPORTED_MEDIA_TYPE", "Use application/merge-patch+json")
        match = call.headers.get("If-Match")
        if not match:
            raise SapError(428, "PRECONDITION_REQUIRED", "If-Match is missing")
        if match not in ("*", self._etag(row)):
            raise SapError(412, "PRECONDITION_FAILED", "The record was changed")
        self.tenant.refuse_locked(row[table.key], 409)
        values = self._values(table, json.loads(call.raw or b"null"))
        return self._one(200, self.tenant.edit(path, row[table.key], {**values, **_derived({**row, **values})}, APP))

    def _one(self, status: int, row: Row) -> Reply:
        return Reply(status, {"value": self._show(row), "info": {"code": "", "message": "", "details": []}}, {"ETag": self._etag(row)})

    def _etag(self, row: Row) -> str:
        return f'"{self.tenant.version(row["id"])}"'

    # ---- what is written and shown

    def _values(self, table: Table, body: Any) -> Row:
        if not isinstance(body, dict):
            raise SapError(400, "INVALID_BODY", "An object is needed")
        return dict(self._pair(table, column, value) for column, value in _flat(body, table))

    def _pair(self, table: Table, column: str, value: Any) -> tuple[str, Any]:
        if column not in table.columns:
            raise SapError(400, "UNKNOWN_FIELD", f"Property {column.rpartition('.')[2]} not found in {table.name}", column)
        if column in table.fixed:
            raise SapError(400, "READ_ONLY", f"{column} cannot be set", column)
        kind = table.kind(column)
        if kind == "list":
            return column, self._linked(value)
        if value is not None and not _fits(kind, column, value):
            raise SapError(400, "DATA_TYPE_MISMATCH", f"DataTypeMismatch -> {column}", column)
        if kind == "id" and column in ("account.id", "accountId", "contact.id") and value is not None:
            owner = CONTACTS if column == "contact.id" else ACCOUNTS
            if value not in self.tenant.tables[owner].rows:
                raise SapError(400, "NOT_FOUND_REFERENCE", f"{value} was not found", column)
        return column, datetime.fromisoformat(value) if kind == "time" and value else value

    def _linked(self, value: Any) -> list[Row]:
        """The list as a whole: an entry that was linked already keeps its own id."""
        notes = self.tenant.tables[NOTES].rows
        if not isinstance(value, list) or not all(isinstance(each, dict) and each.get("noteId") in notes for each in value):
            raise SapError(400, "INVALID_NOTE", "A note does not exist", "notes")
        return [{"noteId": each["noteId"], "id": each.get("id") or str(uuid4())} for each in value]

    def _show(self, row: Row) -> Row:
        shown: Row = {}
        for column, value in row.items():
            *steps, last = column.split(".")
            place = shown
            for step in steps:
                place = place.setdefault(step, {})
            place[last] = self._shown(value)
        return shown

    def _shown(self, value: Any) -> Any:
        if isinstance(value, list):
            return [{**each, "content": self.tenant.tables[NOTES].rows[each["noteId"]]["content"]} for each in value]
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z") if isinstance(value, datetime) else value


def words_of(note: Row) -> str:
    """As people read it."""
    return unescape(re.sub(r"<[^>]*>", "", str(note["content"]).replace("<br>", "\n")))


def _flat(body: Mapping[str, Any], table: Table, before: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in body.items():
        column = f"{before}{name}"
        if isinstance(value, dict):
            yield from _flat(value, table, f"{column}.")
        else:
            yield column, value


def _fits(kind: str, column: str, value: Any) -> bool:
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(value, str) or "\x00" in value:
        return False
    if kind == "id":
        return bool(_UUID.fullmatch(value))
    if kind == "time":
        return bool(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", value))
    return len(value) <= (LONG if column in ("extensions.CXReasons", "extensions.CXNotes", "extensions.CXHandles", "extensions.CXLink", "content") else SHORT)


def _derived(values: Mapping[str, Any]) -> Row:
    found: Row = {}
    if "givenName" in values or "familyName" in values:
        found["formattedName"] = " ".join(filter(None, [values.get("givenName"), values.get("familyName")]))
    for name, normal in (("phone", "normalizedPhone"), ("mobile", "normalizedMobile")):
        if values.get(name):
            found[normal] = "+" + re.sub(r"\D", "", values[name])
    return found


def _refusal(error: SapError) -> Reply:
    details = [{"code": error.code, "message": error.message, "target": error.target}]
    return Reply(error.status, {"error": {"code": error.code, "message": error.message, "target": error.target, "details": details}})


__all__ = ["ACCOUNTS", "CASES", "CONTACTS", "LEADS", "NOTES", "V2", "bad_query", "words_of"]
