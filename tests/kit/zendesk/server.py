"""Zendesk's Support API over HTTP on 127.0.0.1, in front of a `Desk`. What it answers follows Zendesk's documents, not any client."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from tests.kit.simulated import Call, Reply, serving
from tests.kit.simulated import Simulator as Base
from tests.kit.zendesk.desk import ME, WRITABLE, Desk, Row
from tests.kit.zendesk.errors import ZendeskError, bad_request, invalid, not_found
from tests.kit.zendesk.search import search

EMAIL, API_TOKEN, CLIENT_ID, CLIENT_SECRET = "caseline@acme.example", "zd-api-token", "caseline_app", "zd-client-secret"
A_MINUTE, LIMIT, REMEMBERED = timedelta(minutes=1), 700, timedelta(hours=2)
EXPORTED = 1_000


class Simulator(Base):
    """`desk` is its state, `faults` what goes wrong, `calls` what came in, `remaining` what is left of the minute, `page` how many events an export shows."""

    content_type = "application/json; charset=utf-8"

    def __init__(self, desk: Desk | None = None) -> None:
        super().__init__()
        self.desk = desk or Desk()
        self.tokens: dict[str, int] = {}
        self.client_secret, self.api_token = CLIENT_SECRET, API_TOKEN
        self.logins, self.remaining, self.page = 0, 100_000, EXPORTED
        self.allowed = LIMIT
        self.may_redact = True
        self.keys: dict[str, tuple[str, datetime, Row]] = {}

    def api_calls(self) -> list[Call]:
        """Without logins."""
        return [call for call in self.calls if not call.path.startswith("/oauth/")]

    def answer(self, call: Call) -> Reply:
        try:
            if call.path == "/oauth/tokens":
                return self._login(call.body or {})
            reply = self._route(call, self._who(call))
        except ZendeskError as fault:
            reply = fault.reply()
        left = min(max(self.remaining, 0), self.allowed)
        reply.headers |= {"X-Rate-Limit": str(self.allowed), "X-Rate-Limit-Remaining": str(left)}
        return reply

    # Logging in.
    def _login(self, body: Mapping[str, Any]) -> Reply:
        if body.get("grant_type") != "client_credentials":
            return Reply(400, {"error": "unsupported_grant_type", "error_description": "The grant type is not supported"})
        if (body.get("client_id"), body.get("client_secret")) != (CLIENT_ID, self.client_secret):
            return Reply(401, {"error": "invalid_client", "error_description": "Client authentication failed"})
        if not 300 <= int(body.get("expires_in", 300)) <= 172_800:
            return Reply(400, {"error": "invalid_request", "error_description": "expires_in is out of range"})
        self.logins += 1
        token = f"zd-token-{self.logins}"
        self.tokens[token] = ME
        return Reply(201, {"access_token": token, "token_type": "bearer", "scope": body.get("scope", "read"), "expires_in": body.get("expires_in")})

    def _who(self, call: Call) -> int:
        scheme, _, given = (call.headers.get("Authorization") or "").partition(" ")
        if scheme == "Bearer" and given in self.tokens:
            return self.tokens[given]
        if scheme == "Basic" and b64decode(given).decode() == f"{EMAIL}/token:{self.api_token}":
            return ME
        if scheme == "Bearer":
            raise ZendeskError(401, {"error": "invalid_token", "error_description": "The access token provided is expired, revoked, malformed or invalid."})
        raise ZendeskError(401, {"error": "Couldn't authenticate you"})

    # The way of a request.
    def _route(self, call: Call, who: int) -> Reply:
        self.remaining -= 1
        if self.remaining < 0:
            raise ZendeskError(429, "Number of allowed API requests per minute exceeded", {"Retry-After": "41", "Content-Type": "text/plain"})
        path = call.path.removeprefix("/api/v2").rstrip("/").removesuffix(".json")
        for method, pattern, handle in _ROUTES:
            found = re.fullmatch(pattern, path)
            if found and method == call.method and call.path.startswith("/api/v2/"):
                return getattr(self, handle)(call, who, *found.groups())
        raise ZendeskError(404, {"error": "InvalidEndpoint", "description": "Not found"})

    # Tickets.
    def list_tickets(self, call: Call, who: int) -> Reply:
        key = call.query.get("external_id")
        found = [row for row in self.desk.live() if key is None or str(row["external_id"] or "").casefold() == key.casefold()]
        return self._listed(call, "tickets", [self.show(row) for row in found])

    def show_many(self, call: Call, who: int) -> Reply:
        ids = [int(each) for each in call.query.get("ids", "").split(",") if each]
        if len(ids) > 100:
            raise bad_request("TooManyValues", "at most 100 ids")
        live = {row["id"]: row for row in self.desk.live()}
        return Reply(200, {"tickets": [self.show(live[each]) for each in ids if each in live], "count": len(ids)})

    def read_ticket(self, call: Call, who: int, number: str) -> Reply:
        return Reply(200, {"ticket": self.show(self.desk.find(int(number)))})

    def create_ticket(self, call: Call, who: int) -> Reply:
        given, key = self._member(call, "ticket"), call.headers.get("Idempotency-Key") or ""
        if len(key) > 255:
            raise bad_request("IdempotentRequestError", "The key is too long")
        digest, known = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest(), self.keys.get(key)
        if known and known[1] > self.desk.clock() - REMEMBERED:
            if known[0] != digest:
                raise bad_request("IdempotentRequestError", "Request parameters don't match the idempotency key's first request")
            return Reply(201, known[2], {"X-Idempotency-Lookup": "hit"})
        ticket, audit = self.desk.add_ticket(who, given)
        body = {"ticket": self.show(ticket), "audit": self._audit(audit)}
        if key:
            self.keys[key] = (digest, self.desk.clock(), body)
        return Reply(201, body, {"Location": body["ticket"]["url"], **({"X-Idempotency-Lookup": "miss"} if key else {})})

    def update_ticket(self, call: Call, who: int, number: str) -> Reply:
        ticket = self.desk.find(int(number))
        audit = self.desk.update(ticket, who, self._member(call, "ticket"))
        return Reply(200, {"ticket": self.show(ticket), "audit": self._audit(audit)})

    def delete_ticket(self, call: Call, who: int, number: str) -> Reply:
        self.desk.delete(self.desk.find(int(number)), who)
        return Reply(204)

    def merge_tickets(self, call: Call, who: int, number: str) -> Reply:
        target = self.desk.find(int(number))
        for each in (call.body or {}).get("ids", []):
            self.desk.merge(self.desk.find(int(each)), target, who)
        return Reply(200, {"job_status": {"id": "8b726e606741012ffc2d782bcb7848fe", "status": "completed"}})

    def comments(self, call: Call, who: int, number: str) -> Reply:
        found = list(self.desk.comments[self.desk.find(int(number))["id"]])
        return self._listed(call, "comments", found[::-1] if call.query.get("sort_order") == "desc" else found)

    def redact(self, call: Call, who: int, number: str) -> Reply:
        """For agents of the Agent Workspace who may redact."""
        if not self.may_redact:
            raise ZendeskError(403, {"error": {"title": "Forbidden", "message": "You do not have access to this page. Please contact the account owner."}})
        given = call.body if isinstance(call.body, dict) else {}
        if not isinstance(given.get("ticket_id"), int):
            raise bad_request("MissingParameter", "Parameter ticket_id is required")
        comment = self.desk.redact(self.desk.find(given["ticket_id"]), who, int(number), str(given.get("html_body") or ""))
        return Reply(200, {"comment": comment})

    def audits(self, call: Call, who: int, number: str) -> Reply:
        ticket = self.desk.find(int(number))
        return self._listed(call, "audits", [self._audit(event) for event in self.desk.events if event["ticket_id"] == ticket["id"]])

    def show(self, ticket: Row) -> Row:
        hidden = ("custom", "born", "followup")
        custom = [{"id": number, "value": ticket["custom"].get(number)} for number in self.desk.fields["ticket_field"]]
        shown = {name: value for name, value in ticket.items() if name not in hidden}
        first = self.desk.comments.get(ticket["id"], [{}])[0] if self.desk.comments.get(ticket["id"]) else {}
        return shown | {
            "url": f"{self.url}/api/v2/tickets/{ticket['id']}.json", "custom_fields": custom, "fields": custom, "description": first.get("body"),
            "via": {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}}, "tags": list(ticket["tags"]), "is_public": first.get("public", True),
        }  # fmt: skip

    def _audit(self, event: Row) -> Row:
        """As the audits show it, which is not as the export does."""
        return {"id": event["id"], "ticket_id": event["ticket_id"], "created_at": event["created_at"], "author_id": event["updater_id"],
                "events": [{**child, "type": child["event_type"]} for child in event["child_events"]]}  # fmt: skip

    # Users and organizations.
    def me(self, call: Call, who: int) -> Reply:
        return Reply(200, {"user": self._user(self.desk.users[who])})

    def list_users(self, call: Call, who: int) -> Reply:
        return self._listed(call, "users", [self._user(row) for row in self.desk.users.values()])

    def show_users(self, call: Call, who: int) -> Reply:
        ids = [int(each) for each in call.query.get("ids", "").split(",") if each]
        if len(ids) > 100:
            raise bad_request("TooManyValues", "at most 100 ids")
        return Reply(200, {"users": [self._user(self.desk.users[each]) for each in ids if each in self.desk.users], "count": len(ids)})

    def read_user(self, call: Call, who: int, number: str) -> Reply:
        return Reply(200, {"user": self._user(self._one(self.desk.users, number))})

    def create_user(self, call: Call, who: int) -> Reply:
        user = self.desk.add_user(**self._member(call, "user"))
        return Reply(201, {"user": self._user(user)}, {"Location": f"{self.url}/api/v2/users/{user['id']}.json"})

    def create_or_update_user(self, call: Call, who: int) -> Reply:
        given = self._member(call, "user")
        known = next((user for user in self.desk.users.values() if any(
            given.get(name) and str(user[name] or "").casefold() == str(given[name]).casefold() for name in ("external_id", "email"))), None)
        return Reply(200, {"user": self._user(self.desk.update_user(known, given))}) if known else self.create_user(call, who)

    def update_user(self, call: Call, who: int, number: str) -> Reply:
        return Reply(200, {"user": self._user(self.desk.update_user(self._one(self.desk.users, number), self._member(call, "user")))})

    def identities(self, call: Call, who: int, number: str) -> Reply:
        return self._listed(call, "identities", self._identities(self._one(self.desk.users, number)))

    def search_users(self, call: Call, who: int) -> Reply:
        """By external_id it is a look-up, by query a search."""
        key, query = call.query.get("external_id"), call.query.get("query")
        if key is None and not query:
            raise bad_request("InvalidValue", "query or external_id is required")
        found = [row for _, row in search(self.desk, query, "user")] if query else [
            row for row in self.desk.users.values() if str(row["external_id"] or "").casefold() == str(key).casefold()]  # fmt: skip
        reply, wanted = self._listed(call, "users", [self._user(row) for row in found]), call.query.get("include", "").split(",")
        if "organizations" in wanted:
            ids = dict.fromkeys(row["organization_id"] for row in found if row["organization_id"])
            reply.body["organizations"] = [self._organization(self.desk.organizations[each]) for each in ids]
        if "identities" in wanted:
            reply.body["identities"] = [identity for row in found for identity in self._identities(row)]
        return reply

    def _identities(self, user: Row) -> list[Row]:
        found = [("email", user["email"])] if user["email"] else []
        return [{"id": user["id"] * 10 + at, "user_id": user["id"], "type": kind, "value": value, "primary": at == 0, "verified": True}
                for at, (kind, value) in enumerate(found)]  # fmt: skip

    def read_organization(self, call: Call, who: int, number: str) -> Reply:
        return Reply(200, {"organization": self._organization(self._one(self.desk.organizations, number))})

    def create_organization(self, call: Call, who: int) -> Reply:
        return Reply(201, {"organization": self._organization(self.desk.add_organization(**self._member(call, "organization")))})

    def update_organization(self, call: Call, who: int, number: str) -> Reply:
        row = self._one(self.desk.organizations, number)
        return Reply(200, {"organization": self._organization(self.desk.update_organization(row, self._member(call, "organization")))})

    def _one(self, found: Mapping[int, Row], number: str) -> Row:
        if int(number) not in found:
            raise not_found()
        return found[int(number)]

    def _user(self, row: Row) -> Row:
        return {name: value for name, value in row.items() if name != "born"} | {"url": f"{self.url}/api/v2/users/{row['id']}.json"}

    def _organization(self, row: Row) -> Row:
        return {name: value for name, value in row.items() if name != "born"} | {"url": f"{self.url}/api/v2/organizations/{row['id']}.json"}

    # Searches.
    def search(self, call: Call, who: int) -> Reply:
        return self._listed(call, "results", self._found(call.query.get("query", "")))

    def search_count(self, call: Call, who: int) -> Reply:
        return Reply(200, {"count": len(self._found(call.query.get("query", "")))})

    def search_export(self, call: Call, who: int) -> Reply:
        kind, size = call.query.get("filter[type]"), int(call.query.get("page[size]", 100))
        if kind not in ("ticket", "user", "organization", "group"):
            raise bad_request("InvalidValue", "filter[type] is required")
        if size > 1_000:
            raise bad_request("InvalidPaginationParameter", "page[size] is at most 1000")
        return self._cursored(call, "results", self._found(call.query.get("query", ""), kind), size)

    def _found(self, query: str, kind: str = "") -> list[Row]:
        shows = {"ticket": self.show, "user": self._user, "organization": self._organization}
        return [{**shows[name](row), "result_type": name} for name, row in search(self.desk, query, kind)]

    # Exports.
    def export_events(self, call: Call, who: int) -> Reply:
        start = self._start(call)
        found = sorted((event for event in self.desk.events if event["timestamp"] >= start), key=lambda event: (event["timestamp"], event["id"]))
        page = found[: self.page]
        page += [event for event in found[self.page :] if event["timestamp"] == page[-1]["timestamp"]]
        wants = call.query.get("include") == "comment_events"
        events = [{**event, "child_events": [self._child(child, wants) for child in event["child_events"]]} for event in page]
        end = page[-1]["timestamp"] if page else start
        url = f"{self.url}/api/v2/incremental/ticket_events.json?{urlencode({'start_time': end})}"
        return Reply(200, {"ticket_events": events, "next_page": url, "count": len(events), "end_time": end, "end_of_stream": len(page) == len(found)})

    def _child(self, child: Row, with_words: bool) -> Row:
        if child.get("event_type") != "Comment" or with_words:
            return child
        return {name: child[name] for name in ("id", "via", "comment_present", "comment_public", "event_type")}

    def export_tickets(self, call: Call, who: int) -> Reply:
        """By cursor; deleted ones are among them, and say so by their status."""
        size = min(int(call.query.get("per_page", EXPORTED)), EXPORTED)
        after = json.loads(urlsafe_b64decode(call.query["cursor"])) if call.query.get("cursor") else [self._start(call), 0]
        found = sorted(([row["generated_timestamp"], row["id"], row] for row in self.desk.tickets.values()), key=lambda each: each[:2])
        later = [each for each in found if each[:2] > after]
        page = later[:size]
        cursor = urlsafe_b64encode(json.dumps(page[-1][:2] if page else after).encode()).decode()
        url = f"{self.url}/api/v2/incremental/tickets/cursor.json?{urlencode({'cursor': cursor})}"
        body = {"tickets": [self.show(row) for _, _, row in page], "after_url": url, "after_cursor": cursor, "before_url": None, "before_cursor": None}
        return Reply(200, {**body, "end_of_stream": len(page) == len(later)})

    def _start(self, call: Call) -> int:
        text = call.query.get("start_time", "")
        if not text.isdecimal():
            raise bad_request("InvalidValue", "start_time is required")
        if int(text) > (self.desk.clock() - A_MINUTE).timestamp():
            raise bad_request("StartTimeTooRecent", "Start time must be at least 60 seconds ago")
        return int(text)

    # Fields.
    def list_fields(self, call: Call, who: int, kind: str) -> Reply:
        return self._listed(call, f"{kind}s", list(self.desk.fields[kind].values()))

    def create_field(self, call: Call, who: int, kind: str) -> Reply:
        return Reply(201, {kind: self.desk.add_field(kind, self._member(call, kind))})

    # Shapes.
    def _member(self, call: Call, name: str) -> Row:
        given = (call.body or {}).get(name) if isinstance(call.body, dict) else None
        if not isinstance(given, dict):
            raise bad_request("MissingParameter", f"Parameter {name} is required")
        if name == "ticket" and (odd := set(given) - WRITABLE - {"id", "audit", "api"}):
            # The real one passes over what it does not know; a client that sends it is wrong all the same.
            raise invalid(**{sorted(odd)[0]: "is not a property that can be written"})
        return given

    def _listed(self, call: Call, name: str, found: Sequence[Row]) -> Reply:
        if "page[size]" in call.query:
            return self._cursored(call, name, found, int(call.query["page[size]"]))
        size, page = min(int(call.query.get("per_page", 100)), 100), int(call.query.get("page", 1))
        shown = list(found[(page - 1) * size : page * size])
        more = page * size < len(found)
        query = {**call.query, "page": page + 1}
        next_page = f"{self.url}{call.path}?{urlencode(query)}" if more else None
        return Reply(200, {name: shown, "next_page": next_page, "previous_page": None, "count": len(found)})

    def _cursored(self, call: Call, name: str, found: Sequence[Row], size: int) -> Reply:
        start = int(urlsafe_b64decode(call.query["page[after]"])) if call.query.get("page[after]") else 0
        shown, more = list(found[start : start + size]), start + size < len(found)
        cursor = urlsafe_b64encode(str(start + size).encode()).decode() if shown else None
        following = f"{self.url}{call.path}?{urlencode({**call.query, 'page[after]': cursor})}" if more else None
        return Reply(200, {name: shown, "meta": {"has_more": more, "after_cursor": cursor, "before_cursor": None}, "links": {"next": following, "prev": None}})


_FIELD = "(ticket_field|user_field|organization_field)s"
_ROUTES = (
    ("GET", "/tickets", "list_tickets"), ("POST", "/tickets", "create_ticket"), ("GET", "/tickets/show_many", "show_many"),
    ("GET", r"/tickets/(\d+)", "read_ticket"), ("PUT", r"/tickets/(\d+)", "update_ticket"), ("DELETE", r"/tickets/(\d+)", "delete_ticket"),
    ("POST", r"/tickets/(\d+)/merge", "merge_tickets"), ("GET", r"/tickets/(\d+)/comments", "comments"), ("GET", r"/tickets/(\d+)/audits", "audits"),
    ("PUT", r"/comment_redactions/(\d+)", "redact"),
    ("GET", "/users/me", "me"), ("GET", "/users/show_many", "show_users"),
    ("GET", "/users", "list_users"), ("POST", "/users", "create_user"), ("GET", "/users/search", "search_users"),
    ("POST", "/users/create_or_update", "create_or_update_user"), ("GET", r"/users/(\d+)", "read_user"), ("PUT", r"/users/(\d+)", "update_user"),
    ("GET", r"/users/(\d+)/identities", "identities"), ("POST", "/organizations", "create_organization"),
    ("GET", r"/organizations/(\d+)", "read_organization"), ("PUT", r"/organizations/(\d+)", "update_organization"),
    ("GET", "/search", "search"), ("GET", "/search/count", "search_count"), ("GET", "/search/export", "search_export"),
    ("GET", "/incremental/ticket_events", "export_events"), ("GET", "/incremental/tickets/cursor", "export_tickets"),
    ("GET", f"/{_FIELD}", "list_fields"), ("POST", f"/{_FIELD}", "create_field"),
)  # fmt: skip


@contextmanager
def zendesk(desk: Desk | None = None) -> Iterator[Simulator]:
    simulator = Simulator(desk)
    with serving(simulator):
        yield simulator
