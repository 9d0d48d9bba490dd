"""Backoffice: people, customers, tickets with notes, what was removed; over HTTP, with four ways to log in."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlencode

from tests.kit.rest.filter import FilterError, read_filter
from tests.kit.simulated import Call, Reply, Simulator

Row = dict[str, Any]
ME, PREFIX, PAGE = "svc-caseline", "/api/v2", 100
CLIENT_ID, CLIENT_SECRET, TOKEN, API_KEY, PASSWORD = "backoffice-client", "backoffice-secret", "a-static-token", "an-api-key", "a-password"
COMMON = ("id", "edited_at", "edited_by")
FIELDS: Mapping[str, tuple[str, ...]] = {
    "people": ("display", "mail", "tel", "handles", "customer_id", "caseline_key", "kind", "origin", "mood", "history"),
    "customers": ("name", "grade", "won_total", "money", "contract_ends", "plan", "stage", "keeper", "mood"),
    "tickets": (
        "external_ref", "number", "title", "body", "customer_id", "person_id", "state", "resolution", "urgency", "team", "assignee", "caseline", "verdict",
        "merged_into", "add_note", "add_answer",
    ),
    "notes": ("ticket_id", "text", "public"),
    "removed": ("record_id", "kind"),
}  # fmt: skip
WRITABLE = {"people": ("POST", "PATCH"), "customers": ("PATCH",), "tickets": ("POST", "PATCH")}
CHOICES = {"state": ("new", "working", "waiting", "done", "cancelled"), "urgency": ("urgent", "high", "normal", "low")}
DERIVED = {"people": ("digits",), "notes": ("external_ref",)}


class Refused(Exception):  # noqa: N818
    def __init__(self, status: int, code: str, field: str = "") -> None:
        self.reply = Reply(status, {"code": code, "message": f"{code}: ann@example.com", "field": field})


def by_status(status: int) -> dict[str, str]:
    return {"code": "error", "message": "ann@example.com is not what it should be", "field": ""}


class Backoffice(Simulator):
    """`tables` hold rows by id; `locks` is how often writes to a ticket are refused yet; `quota` what is left of the hour."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.clock, self.quota, self.logins, self.last_id = clock, 10_000, 0, 0
        self.tables: dict[str, dict[str, Row]] = {name: {} for name in FIELDS}
        self.tokens, self.proofs, self.locks = set[str](), {CLIENT_SECRET, TOKEN, API_KEY, PASSWORD}, dict[str, int]()

    # What stands there.
    def add(self, table: str, values: Mapping[str, Any], by: str = "ann") -> Row:
        self.last_id += 1
        row = dict.fromkeys(FIELDS[table]) | {"id": f"{table[0]}-{self.last_id:08d}"} | dict(values)
        self.tables[table][row["id"]] = row
        return self._stamp(row, by)

    def edit(self, table: str, row_id: str, values: Mapping[str, Any], by: str = "ann") -> Row:
        row = self.tables[table][row_id]
        for name, value in values.items():
            row[name] = {**(row[name] or {}), **value} if name in ("caseline", "mood") else value
        return self._stamp(row, by)

    def remove(self, table: str, row_id: str) -> None:
        del self.tables[table][row_id]
        self.add("removed", {"record_id": row_id, "kind": {"people": "person"}.get(table, table[:-1])})

    def _stamp(self, row: Row, by: str) -> Row:
        row |= {"edited_at": f"{self.clock():%Y-%m-%dT%H:%M:%S.%fZ}", "edited_by": by}
        return row

    def notes(self, ticket_id: str) -> list[Row]:
        return [row for row in self.tables["notes"].values() if row["ticket_id"] == ticket_id]

    # Who is asking.
    def answer(self, call: Call) -> Reply:
        if call.path == f"{PREFIX}/oauth/token":
            return self._login(call)
        if not self._is_known(call):
            return Reply(401, {"code": "unauthenticated", "message": "who are you?", "field": ""})
        self.quota -= 1
        try:
            reply = self._route(call)
        except Refused as refused:
            reply = refused.reply
        reply.headers |= {"X-Quota-Left": str(self.quota), "X-Quota": "10000"}
        return reply

    def _login(self, call: Call) -> Reply:
        form = call.form
        right = form.get("client_id") == CLIENT_ID and form.get("client_secret") in self.proofs and form.get("grant_type") == "client_credentials"
        if not right:
            return Reply(401, {"error": "invalid_client"})
        self.logins += 1
        self.tokens.add(f"token-{self.logins}")
        return Reply(200, {"access_token": f"token-{self.logins}", "expires_in": 3_600, "token_type": "Bearer"})

    def _is_known(self, call: Call) -> bool:
        kind, _, proof = call.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            name, _, password = base64.b64decode(proof).decode().partition(":")
            return name == ME and password == PASSWORD and PASSWORD in self.proofs
        known = {*self.tokens, *({TOKEN} & self.proofs)}
        return (kind == "Bearer" and proof in known) or (call.headers.get("X-Api-Key") == API_KEY and API_KEY in self.proofs)

    # What is asked.
    def _route(self, call: Call) -> Reply:
        parts = [unquote(part) for part in call.path.removeprefix(f"{PREFIX}/").split("/")]
        if parts == ["me"]:
            return Reply(200, {"id": ME})
        if not call.path.startswith(f"{PREFIX}/") or parts[0] not in FIELDS or len(parts) > 3:
            raise Refused(404, "no_such_path")
        table, row_id = parts[0], parts[1] if len(parts) > 1 else ""
        if len(parts) == 3:
            ways = {"notes": self._notes, "forget": self._forget} if parts[0] == "tickets" else {}
            return ways[parts[2]](call, row_id) if parts[2] in ways else Refused(404, "no_such_path").reply
        if call.method == "GET":
            return Reply(200, self._show(table, self._row(table, row_id))) if row_id else self._list(call, table)
        if call.method not in WRITABLE.get(table, ()) or (call.method == "POST") == bool(row_id):
            raise Refused(405, "method")
        values = self._values(call, table)
        return self._create(table, values) if call.method == "POST" else self._change(table, row_id, values)

    def _row(self, table: str, row_id: str) -> Row:
        if row_id not in self.tables[table]:
            raise Refused(404, "not_found")
        return self.tables[table][row_id]

    def _values(self, call: Call, table: str) -> Row:
        if not isinstance(call.body, dict):
            raise Refused(400, "no_json")
        for name, value in call.body.items():
            if name not in FIELDS[table] or name == "number":
                raise Refused(422, "unknown_field", name)
            if name in CHOICES and value not in CHOICES[name]:
                raise Refused(422, "not_a_choice", name)
        for name, other in (("customer_id", "customers"), ("person_id", "people"), ("merged_into", "tickets")):
            if call.body.get(name) and call.body[name] not in self.tables[other]:
                raise Refused(422, "no_such_record", name)
        return call.body

    def _create(self, table: str, values: Row) -> Reply:
        if table == "tickets":
            reference = values.get("external_ref")
            if reference and any(row["external_ref"] == reference for row in self.tables[table].values()):
                raise Refused(409, "duplicate", "external_ref")
            self._check_closing(values)
            values = {"state": "new", "number": f"B-{self.last_id + 1}", **values}
        row = self.add(table, {name: value for name, value in values.items() if not name.startswith("add_")}, ME)
        return self._written(table, row, values, 201)

    def _change(self, table: str, row_id: str, values: Row) -> Reply:
        self._row(table, row_id)
        if self.locks.get(row_id, 0) > 0:
            self.locks[row_id] -= 1
            raise Refused(423, "locked")
        self._check_closing(values)
        row = self.edit(table, row_id, {name: value for name, value in values.items() if not name.startswith("add_")}, ME)
        return self._written(table, row, values, 200)

    def _written(self, table: str, row: Row, values: Row, status: int) -> Reply:
        for name, is_public in (("add_note", False), ("add_answer", True)):
            if values.get(name):
                self.add("notes", {"ticket_id": row["id"], "text": values[name], "public": is_public}, ME)
        return Reply(status, {"ticket": self._show(table, row)} if table == "tickets" else self._show(table, row))

    def _check_closing(self, values: Row) -> None:
        if values.get("state") == "done" and not values.get("resolution"):
            raise Refused(422, "resolution_is_missing", "resolution")

    def _notes(self, call: Call, ticket_id: str) -> Reply:
        """A list in pages with the header Link, and a way to add one."""
        self._row("tickets", ticket_id)
        if call.method == "POST":
            note = self.add("notes", {"ticket_id": ticket_id, "text": (call.body or {})["text"], "public": bool((call.body or {}).get("public"))}, ME)
            return Reply(201, note)
        return self._paged(call, self.notes(ticket_id), 2)

    def _forget(self, call: Call, ticket_id: str) -> Reply:
        """What our user noted is gone for ever; `title`, if one is given, stands in the place of the ticket's own and of its body."""
        self._row("tickets", ticket_id)
        if call.method != "POST":
            raise Refused(405, "method")
        for note in [each for each in self.notes(ticket_id) if each["edited_by"] == ME]:
            del self.tables["notes"][note["id"]]
        if title := (call.body or {}).get("title"):
            self.edit("tickets", ticket_id, {"title": title, "body": title}, ME)
        return Reply(204)

    # Lists.
    def _list(self, call: Call, table: str) -> Reply:
        rows, fields = list(self.tables[table].values()), {*FIELDS[table], *COMMON, *DERIVED.get(table, ())}
        shown = [self._show(table, row) for row in rows]
        if text := call.query.get("filter", ""):
            try:
                wanted = read_filter(text, fields)
            except FilterError:
                raise Refused(400, "filter") from None
            shown = [row for row in shown if wanted(row)]
        for name in reversed(call.query.get("order", "id").split(",")):
            if name not in fields:
                raise Refused(400, "order")
            shown.sort(key=lambda row: row[name] or "")
        return self._paged(call, shown, min(PAGE, int(call.query.get("limit") or PAGE)))

    def _paged(self, call: Call, rows: list[Row], size: int) -> Reply:
        """By token, page or offset; the next one's address in Link."""
        start = int(call.query.get("token") or call.query.get("offset") or (int(call.query.get("page") or 1) - 1) * size)
        end = start + size
        more = {"next": str(end)} if end < len(rows) else {"next": None}
        further = urlencode({**{name: value for name, value in call.query.items() if name not in ("page", "offset")}, "token": str(end)})
        link = {"Link": f'<{self.url}{call.path}?{further}>; rel="next"'} if end < len(rows) else {}
        return Reply(200, {"items": rows[start:end], **more}, link)

    def _show(self, table: str, row: Row) -> Row:
        if table == "people":
            customer = self.tables["customers"].get(row["customer_id"] or "")
            digits = ["".join(filter(str.isdigit, tel)) for tel in row["tel"] or ()]
            return {**row, "digits": digits, "customer": self._show("customers", customer) if customer else None}
        if table == "customers":
            count = sum(each["customer_id"] == row["id"] and each["state"] not in ("done", "cancelled") for each in self.tables["tickets"].values())
            return {**row, "open_tickets": count, "link": f"https://backoffice.example/customers/{row['id']}"}
        if table == "tickets":
            return {**{name: value for name, value in row.items() if not name.startswith("add_")}, "notes": [note["text"] for note in self.notes(row["id"])]}
        if table == "notes":
            return {**row, "external_ref": (self.tables["tickets"].get(row["ticket_id"]) or {}).get("external_ref")}
        return row
