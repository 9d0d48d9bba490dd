"""Freshdesk's API over HTTP on 127.0.0.1, in front of a `Desk`. What it answers follows Freshdesk's documents, not any client."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from tests.kit.freshdesk.desk import ME, Desk, FreshdeskError, Row, not_found, refuse
from tests.kit.simulated import Call, Reply, serving
from tests.kit.simulated import Simulator as Base

API_KEY, TOTAL, FOUND, EMBEDDED = "fd-api-key", 5_000, 30, 10
MONTH = timedelta(days=30)
TERM = re.compile(r"\s*(?:(\()|(\))|(AND|OR)\b|([a-z_]\w*):(?:'([^']*)'|([\w.+-]+)))")
LISTED = {"tickets": {"filter", "requester_id", "email", "unique_external_id", "company_id", "updated_since", "order_by", "order_type", "include"},
          "contacts": {"email", "mobile", "phone", "company_id", "state", "unique_external_id", "_updated_since"}, "companies": set()}  # fmt: skip


class Simulator(Base):
    """`desk` is its state, `faults` what goes wrong, `calls` what came in, `remaining` what is left of the hour."""

    content_type = "application/json; charset=utf-8"

    def __init__(self, desk: Desk | None = None) -> None:
        super().__init__()
        self.desk, self.api_key, self.remaining = desk or Desk(), API_KEY, TOTAL

    def answer(self, call: Call) -> Reply:
        try:
            reply = self._route(call)
        except FreshdeskError as fault:
            reply = fault.reply()
        left = max(self.remaining, 0)
        reply.headers |= {"X-RateLimit-Total": str(TOTAL), "X-RateLimit-Remaining": str(left), "X-RateLimit-Used-CurrentRequest": "1"}
        return reply

    def _route(self, call: Call) -> Reply:
        self.remaining -= 1
        if self.remaining < 0:
            raise FreshdeskError(429, {"message": "You have exceeded the limit of requests per hour"}, {"Retry-After": "900"})
        scheme, _, given = (call.headers.get("Authorization") or "").partition(" ")
        if scheme != "Basic" or b64decode(given).decode().partition(":")[0] != self.api_key:
            raise FreshdeskError(401, {"code": "invalid_credentials", "message": "You have to be logged in to perform this action."})
        for method, pattern, handle in _ROUTES:
            found = re.fullmatch(pattern, call.path.removeprefix("/api/v2"))
            if found and method == call.method and call.path.startswith("/api/v2/"):
                return getattr(self, handle)(call, *found.groups())
        raise not_found()

    # Tickets.
    def list_tickets(self, call: Call) -> Reply:
        """Of the last thirty days, unless `updated_since` says otherwise; the newest first."""
        query, is_deleted = call.query, call.query.get("filter") == "deleted"
        since = query.get("updated_since")
        found = [row for row in self.desk.tickets.values() if row["deleted"] == is_deleted]
        found = [row for row in found if (row["updated_at"] >= since if since else row["born"] > self.desk.clock() - MONTH)]
        for name in ("requester_id", "company_id"):
            found = [row for row in found if name not in query or str(row[name]) == query[name]]
        order, is_down = query.get("order_by", "created_at"), query.get("order_type", "desc") == "desc"
        if order not in ("created_at", "due_by", "updated_at", "status"):
            raise refuse("order_by", "It should be one of these values: 'created_at,due_by,updated_at,status'")
        found.sort(key=lambda row: (row[order], row["id"]), reverse=is_down)
        return self._listed(call, "tickets", [self.show(row) for row in found])

    def read_ticket(self, call: Call, number: str) -> Reply:
        row = self.desk.tickets.get(int(number))
        if row is None:
            raise not_found()
        more = {"conversations": self.desk.conversations[row["id"]][:EMBEDDED]} if "conversations" in call.query.get("include", "") else {}
        return Reply(200, self.show(row) | more)

    def create_ticket(self, call: Call) -> Reply:
        row = self.desk.add_ticket(self._body(call))
        return Reply(201, self.show(row), {"Location": f"{self.url}/api/v2/tickets/{row['id']}"})

    def update_ticket(self, call: Call, number: str) -> Reply:
        return Reply(200, self.show(self.desk.update(self.desk.find(int(number)), self._body(call))))

    def delete_ticket(self, call: Call, number: str) -> Reply:
        self.desk.delete(self.desk.find(int(number)))
        return Reply(204)

    def add_note(self, call: Call, number: str) -> Reply:
        given, row = self._body(call), self.desk.find(int(number))
        if not given.get("body"):
            raise refuse("body", "It should not be blank as this is a mandatory field", "missing_field")
        return Reply(201, self.desk.say(row, ME, given["body"], given.get("private", True)))

    def delete_conversation(self, call: Call, number: str) -> Reply:
        for said in self.desk.conversations.values():
            if found := next((each for each in said if each["id"] == int(number)), None):
                said.remove(found)
                return Reply(204)
        raise not_found()

    def list_conversations(self, call: Call, number: str) -> Reply:
        return self._listed(call, "", self.desk.conversations[self.desk.find(int(number))["id"]])

    def show(self, row: Row) -> Row:
        return {name: value for name, value in row.items() if name != "born"}

    # Contacts, companies, agents.
    def list_contacts(self, call: Call) -> Reply:
        found, since = list(self.desk.contacts.values()), call.query.get("_updated_since")
        for name in ("email", "mobile", "phone", "unique_external_id", "company_id"):
            found = [row for row in found if name not in call.query or str(row[name] or "").casefold() == call.query[name].casefold()]
        return self._listed(call, "contacts", [self.show(row) for row in found if not since or row["updated_at"] >= since])

    def read_contact(self, call: Call, number: str) -> Reply:
        return Reply(200, self.show(self._one(self.desk.contacts, number)))

    def create_contact(self, call: Call) -> Reply:
        return Reply(201, self.show(self.desk.add_contact(self._body(call))))

    def update_contact(self, call: Call, number: str) -> Reply:
        return Reply(200, self.show(self.desk.update_contact(self._one(self.desk.contacts, number), self._body(call))))

    def list_companies(self, call: Call) -> Reply:
        return self._listed(call, "companies", sorted(self.desk.companies.values(), key=lambda row: str(row["name"])))

    def read_company(self, call: Call, number: str) -> Reply:
        return Reply(200, self._one(self.desk.companies, number))

    def update_company(self, call: Call, number: str) -> Reply:
        return Reply(200, self.desk.update_company(self._one(self.desk.companies, number), self._body(call)))

    def me(self, call: Call) -> Reply:
        return Reply(200, self.desk.agents[ME])

    # Searches.
    def search(self, call: Call, kind: str) -> Reply:
        query = call.query.get("query", "")
        if len(query) < 3 or query[0] != '"' or query[-1] != '"' or len(query) > 512:
            raise refuse("query", "Query should be quoted and have at most 512 characters")
        terms, rows = read_query(query[1:-1]), {"tickets": self.desk.live(), "contacts": list(self.desk.contacts.values())}[kind]
        known_at = self.desk.clock() - timedelta(seconds=self.desk.lag)
        found = [self.show(row) for row in rows if row["born"] <= known_at and self._holds(row, kind, terms)]
        page = int(call.query.get("page", 1))
        if not 1 <= page <= 10:
            raise refuse("page", "It should be a Positive Integer less than or equal to 10")
        return Reply(200, {"results": found[(page - 1) * FOUND : page * FOUND], "total": len(found)})

    def _holds(self, row: Row, kind: str, terms: Sequence[Any]) -> bool:
        """An alternative of conjunctions; nothing else is asked here."""
        return any(all(self._is(row, kind, name, value) for name, value in group) for group in terms)

    def _is(self, row: Row, kind: str, name: str, value: str) -> bool:
        if name == "tag":
            return value.casefold() in [str(tag).casefold() for tag in row["tags"]]
        if name.startswith("cf_"):
            if name not in self.desk.fields[kind[:-1]]:
                raise refuse(name, "Unexpected/invalid field in request", "invalid_field")
            return str(row["custom_fields"].get(name)).casefold() == value.casefold()
        if name not in ("email", "phone", "mobile", "twitter_id", "company_id", "status", "priority", "group_id", "agent_id"):
            raise refuse(name, "Unexpected/invalid field in request", "invalid_field")
        stored = str(row.get(name) or "")
        if name in ("phone", "mobile"):
            return bool(stored) and re.sub(r"\D", "", stored) == re.sub(r"\D", "", value)
        return stored.casefold() == value.casefold()

    # Fields.
    def list_fields(self, call: Call, kind: str) -> Reply:
        return Reply(200, list(self.desk.fields[kind].values()))

    def create_field(self, call: Call, kind: str) -> Reply:
        return Reply(201, self.desk.add_field(kind, self._body(call)))

    # Shapes.
    def _one(self, found: Mapping[int, Row], number: str) -> Row:
        if int(number) not in found:
            raise not_found()
        return found[int(number)]

    def _body(self, call: Call) -> Row:
        if not isinstance(call.body, dict):
            raise FreshdeskError(400, {"code": "invalid_json", "message": "Request body has invalid json format"})
        return call.body

    def _listed(self, call: Call, name: str, found: Sequence[Row]) -> Reply:
        if name and (odd := set(call.query) - LISTED[name] - {"page", "per_page"}):
            raise refuse(sorted(odd)[0], "Unexpected/invalid field in request", "invalid_field")
        size, page = int(call.query.get("per_page", 30)), int(call.query.get("page", 1))
        if not 1 <= size <= 100:
            raise refuse("per_page", "It should be a Positive Integer less than or equal to 100")
        link = {"Link": f'<{self.url}{call.path}?page={page + 1}>; rel="next"'} if page * size < len(found) else {}
        return Reply(200, list(found[(page - 1) * size : page * size]), link)


def read_query(query: str) -> list[list[tuple[str, str]]]:
    """`a:'x' OR b:1 AND c:'y'`; AND binds closer."""
    groups: list[list[tuple[str, str]]] = [[]]
    at, wants_term = 0, True
    while query[at:].strip():
        found = TERM.match(query, at)
        if not found or bool(found[4]) != wants_term:
            raise refuse("query", "Given query is invalid")
        at, wants_term = found.end(), not wants_term
        if found[4]:
            groups[-1].append((found[4], found[6] if found[5] is None else found[5]))
        elif found[3] == "OR":
            groups.append([])
    if wants_term:
        raise refuse("query", "Given query is invalid")
    return groups


_ROUTES = (
    ("GET", "/tickets", "list_tickets"), ("POST", "/tickets", "create_ticket"), ("GET", r"/tickets/(\d+)", "read_ticket"),
    ("PUT", r"/tickets/(\d+)", "update_ticket"), ("DELETE", r"/tickets/(\d+)", "delete_ticket"), ("POST", r"/tickets/(\d+)/notes", "add_note"),
    ("GET", r"/tickets/(\d+)/conversations", "list_conversations"), ("DELETE", r"/conversations/(\d+)", "delete_conversation"),
    ("GET", "/contacts", "list_contacts"), ("POST", "/contacts", "create_contact"),
    ("GET", r"/contacts/(\d+)", "read_contact"), ("PUT", r"/contacts/(\d+)", "update_contact"), ("GET", "/companies", "list_companies"),
    ("GET", r"/companies/(\d+)", "read_company"), ("PUT", r"/companies/(\d+)", "update_company"), ("GET", "/agents/me", "me"),
    ("GET", r"/search/(tickets|contacts)", "search"), ("GET", "/(ticket|contact|company)_fields", "list_fields"),
    ("POST", "/admin/(ticket)_fields", "create_field"), ("POST", "/(contact|company)_fields", "create_field"),
)  # fmt: skip


@contextmanager
def freshdesk(desk: Desk | None = None) -> Iterator[Simulator]:
    simulator = Simulator(desk)
    with serving(simulator):
        yield simulator
