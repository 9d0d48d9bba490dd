"""ServiceNow's REST API over HTTP on 127.0.0.1, in front of an `Instance`. What it answers follows ServiceNow's documents, not any client."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from tests.kit.servicenow.errors import SnowError, forbidden, unauthenticated
from tests.kit.servicenow.instance import BRIDGE, Instance, Row
from tests.kit.servicenow.query import run_query
from tests.kit.simulated import Call, Reply, serving
from tests.kit.simulated import Simulator as Base
from tests.kit.simulated.server import read_call

CLIENT_ID, CLIENT_SECRET, PASSWORD = "f3a1-client", "oauth-secret", "basic-password"
LOGIN, MAX_ROWS, PAGE = "/oauth_token.do", 10_000, 10_000


class Simulator(Base):
    """`instance` is its state, `faults` what goes wrong, `calls` what came in. `hidden` are tables that the integration user may not read;
    `limit` is how many calls an hour a rate rule leaves, None for no rule."""

    content_type = "application/json;charset=UTF-8"
    has_batches = True

    def __init__(self) -> None:
        super().__init__()
        self.instance = Instance()
        self.secret, self.password, self.tokens, self.logins = CLIENT_SECRET, PASSWORD, set[str](), 0
        self.hidden: set[str] = set()
        self.limit: int | None = None
        self.used = 0

    def api_calls(self) -> list[Call]:
        """Without logins."""
        return [call for call in self.calls if call.path != LOGIN]

    def answer(self, call: Call) -> Reply:
        try:
            if call.path == LOGIN:
                return self._login(call)
            user = self._user(call)
            reply = self._limited() or self._route(call, user)
        except SnowError as fault:
            reply = fault.reply()
        return reply if "json" in call.headers.get("Accept", "") else _as_xml(reply)

    # Logging in.
    def _login(self, call: Call) -> Reply:
        """The client proves itself in the form or by Basic credentials."""
        form, scheme = call.form, call.headers.get("Authorization", "").partition(" ")
        basic = base64.b64decode(scheme[2]).decode() if scheme[0] == "Basic" else ""
        right = f"{CLIENT_ID}:{self.secret}" in (f"{form.get('client_id')}:{form.get('client_secret')}", basic)
        person = (form.get("username"), form.get("password")) == (BRIDGE, self.password)
        if not right or form.get("grant_type") not in ("client_credentials", "password") or (form["grant_type"] == "password" and not person):
            return Reply(401, {"error_description": "access_denied", "error": "server_error" if right else "invalid_client"})
        self.logins += 1
        token = f"snow-token-{self.logins}"
        self.tokens.add(token)
        more = {"refresh_token": f"refresh-{self.logins}"} if person else {}
        return Reply(200, {"access_token": token, "scope": "useraccount", "token_type": "Bearer", "expires_in": 1799, **more})

    def _user(self, call: Call) -> str:
        scheme, _, proof = call.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer" and proof in self.tokens:
            return BRIDGE
        if scheme.lower() == "basic" and base64.b64decode(proof).decode() == f"{BRIDGE}:{self.password}":
            return BRIDGE
        raise unauthenticated()

    def _limited(self) -> Reply | None:
        if self.limit is None:
            return None
        self.used += 1
        if self.used <= self.limit:
            return None
        reset = int(self.instance.clock().timestamp()) + 1_800
        headers = {"X-RateLimit-Limit": str(self.limit), "X-RateLimit-Reset": str(reset), "X-RateLimit-Rule": "caseline", "Retry-After": "1800"}
        return SnowError(429, "Rate limit exceeded", None, headers).reply()

    # The way of a request.
    def _route(self, call: Call, user: str) -> Reply:
        path = re.sub(r"^/api/now/v\d+/", "/api/now/", call.path.rstrip("/"))
        if path == "/api/now/batch" and call.method == "POST":
            return self._batch(call, user)
        if (found := re.fullmatch(r"/api/now/stats/(\w+)", path)) and call.method == "GET":
            return self._stats(call, found[1])
        if found := re.fullmatch(r"/api/now/table/(\w+)", path):
            return self._table(call, found[1], user)
        if found := re.fullmatch(r"/api/now/table/(\w+)/([^/]+)", path):
            return self._record(call, found[1], found[2], user)
        raise SnowError(400, "Requested URI does not represent any resource", call.path)

    def _table(self, call: Call, table: str, user: str) -> Reply:
        self._check_access(table)
        if call.method == "POST":
            row = self.instance.insert(table, _body(call), user)
            return Reply(201, {"result": self._show(call, table, row)}, {"Location": f"{self.url}/api/now/table/{table}/{row['sys_id']}"})
        if call.method != "GET":
            raise SnowError(405, "Method not supported", None)
        found = run_query(self.instance, table, call.query.get("sysparm_query", ""))
        limit, offset = (int(call.query.get(f"sysparm_{name}") or default) for name, default in (("limit", MAX_ROWS), ("offset", 0)))
        page = found[offset : offset + min(limit, MAX_ROWS)]
        headers = {"X-Total-Count": str(len(found))}
        if offset + len(page) < len(found) and call.query.get("sysparm_suppress_pagination_header") != "true":
            further = urlencode({**call.query, "sysparm_offset": str(offset + limit)})
            headers["Link"] = f'<{self.url}{call.path}?{further}>;rel="next"'
        return Reply(200, {"result": [self._show(call, table, row) for row in page]}, headers)

    def _record(self, call: Call, table: str, sys_id: str, user: str) -> Reply:
        self._check_access(table)
        if call.method == "GET":
            return Reply(200, {"result": self._show(call, table, self.instance.find(table, sys_id))})
        if call.method in ("PATCH", "PUT"):
            self.instance.find(table, sys_id)
            return Reply(200, {"result": self._show(call, table, self.instance.update(table, sys_id, _body(call), user))})
        if call.method == "DELETE":
            self.instance.delete(table, sys_id, user)
            return Reply(204)
        raise SnowError(405, "Method not supported", None)

    def _stats(self, call: Call, table: str) -> Reply:
        self._check_access(table)
        found, by = run_query(self.instance, table, call.query.get("sysparm_query", "")), call.query.get("sysparm_group_by", "")
        if not by:
            return Reply(200, {"result": {"stats": {"count": str(len(found))}}})
        values = dict.fromkeys(self.instance.walk(table, row, by) or "" for row in found)
        groups = [(value, sum((self.instance.walk(table, row, by) or "") == value for row in found)) for value in values]
        return Reply(200, {"result": [{"stats": {"count": str(count)}, "groupby_fields": [{"field": by, "value": value}]} for value, count in groups]})

    def _batch(self, call: Call, user: str) -> Reply:
        body = _body(call)
        if not isinstance(body.get("rest_requests"), list):
            raise SnowError(400, "Invalid batch request", "rest_requests is required")
        served = [self._serve(each, call, user) for each in body["rest_requests"]]
        return Reply(200, {"batch_request_id": body.get("batch_request_id", ""), "serviced_requests": served, "unserviced_requests": []})

    def _serve(self, each: Mapping[str, Any], call: Call, user: str) -> dict[str, Any]:
        headers = {str(header["name"]): str(header["value"]) for header in each.get("headers", ())}
        inner = read_call(each["method"], each["url"], {"Accept": "application/xml", **headers}, base64.b64decode(each.get("body") or ""))
        try:
            if self.part_fails():
                raise SnowError(503, "The server is too busy for this part")
            reply = self._route(inner, user)
        except SnowError as fault:
            reply = fault.reply()
        reply = reply if "json" in inner.headers["Accept"] else _as_xml(reply)
        content = base64.b64encode(reply.content()).decode()
        shown = [] if each.get("exclude_response_headers") else [{"name": name, "value": value} for name, value in reply.headers.items()]
        return {
            "id": each["id"], "body": content, "status_code": reply.status, "status_text": "OK" if reply.status < 400 else "Error", "headers": shown,
            "execution_time": 7, "redirect_url": None,
        }  # fmt: skip

    def _check_access(self, table: str) -> None:
        self.instance.fields(table)
        if table in self.hidden:
            raise forbidden("Read")

    # A record as an answer shows it.
    def _show(self, call: Call, table: str, row: Row) -> dict[str, Any]:
        given = call.query.get("sysparm_fields", "")
        names = [name.strip() for name in given.split(",") if name.strip()] or list(self.instance.fields(table))
        shown = {name: self._value(call, table, row, name) for name in names}
        return {name: value for name, value in shown.items() if value is not None}

    def _value(self, call: Call, table: str, row: Row, name: str) -> Any:
        """Fields that do not exist are left out; a reference is its id with a link, unless that is excluded."""
        value, how = self.instance.walk(table, row, name), call.query.get("sysparm_display_value", "false").lower()
        if value is None:
            return None
        target = dict(self.instance.references(table)).get(name, "")
        display = self._display(table, row, name, value, target)
        if how == "all":
            link = {"link": f"{self.url}/api/now/table/{target}/{value}"} if target and value and not _excludes(call) else {}
            return {"display_value": display, "value": value, **link}
        if target and value and not _excludes(call):
            return {"link": f"{self.url}/api/now/table/{target}/{value}", "display_value" if how == "true" else "value": display if how == "true" else value}
        return display if how == "true" else value

    def _display(self, table: str, row: Row, name: str, value: str, target: str) -> str:
        if name in self.instance.journals(table):
            return self.instance.journal(row, name)
        other = self.instance.tables[target].get(value) if target else None
        return (other.get("name") or other.get("number", "")) if other else value


def _excludes(call: Call) -> bool:
    return call.query.get("sysparm_exclude_reference_link", "").lower() == "true"


def _body(call: Call) -> dict[str, Any]:
    if "json" not in (call.headers.get("Content-Type") or call.headers.get("content-type") or ""):
        raise SnowError(415, "Unsupported media type", None)
    try:
        body = json.loads(call.raw or b"null")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise SnowError(400, "Exception while reading request", "The payload is not valid JSON")
    return body


def _as_xml(reply: Reply) -> Reply:
    """Who does not ask for JSON is answered in XML."""
    if reply.body is None:
        return reply
    return Reply(reply.status, f"<response>{escape(json.dumps(reply.body))}</response>", {**reply.headers, "Content-Type": "application/xml;charset=UTF-8"})


@contextmanager
def servicenow() -> Iterator[Simulator]:
    simulator = Simulator()
    with serving(simulator):
        yield simulator
