"""Fusion's REST API over HTTP on 127.0.0.1, in front of a `Pod`. What it answers follows Oracle's documents, not any client."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.kit.oracle.errors import AdfError, not_found
from tests.kit.oracle.pod import BRIDGE, Pod, Row
from tests.kit.oracle.rowmatch import parse_rowmatch
from tests.kit.oracle.schema import ATTRIBUTES, KEYS
from tests.kit.simulated import Call, Reply, serving
from tests.kit.simulated import Simulator as Base

CLIENT_ID, CLIENT_SECRET, PASSWORD, SCOPE = "9d1c-client", "idcs-secret", "basic-password", "urn:opc:resource:consumer::all"
LOGIN, ROOT = "/oauth2/v1/token", "/crmRestApi/resources/11.13.18.05"
BATCH, COLLECTION, ITEM = (f"application/vnd.oracle.adf.{name}+json" for name in ("batch", "resourcecollection", "resourceitem"))
DEFAULT_LIMIT, MAX_LIMIT = 25, 500


class Simulator(Base):
    """`pod` is its state, `faults` what goes wrong, `calls` what came in. `hidden` are resources that the integration user may not read."""

    content_type = ITEM
    has_batches = True

    def __init__(self) -> None:
        super().__init__()
        self.pod, self.secret, self.password, self.tokens, self.logins = Pod(), CLIENT_SECRET, PASSWORD, set[str](), 0
        self.hidden: set[str] = set()

    def api_calls(self) -> list[Call]:
        """Without logins."""
        return [call for call in self.calls if call.path != LOGIN]

    def answer(self, call: Call) -> Reply:
        try:
            return self._login(call) if call.path == LOGIN else self._route(call, self._user(call))
        except AdfError as fault:
            return fault.reply()

    # Logging in.
    def _login(self, call: Call) -> Reply:
        proof = base64.b64decode(call.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        if proof != f"{CLIENT_ID}:{self.secret}":
            return Reply(401, {"error": "invalid_client", "error_description": "Client authentication failed."})
        if call.form.get("grant_type") != "client_credentials" or call.form.get("scope") != SCOPE:
            return Reply(400, {"error": "invalid_scope", "error_description": "The scope is not known."})
        self.logins += 1
        token = f"idcs-token-{self.logins}"
        self.tokens.add(token)
        return Reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    def _user(self, call: Call) -> str:
        scheme, _, proof = call.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer" and proof in self.tokens:
            return BRIDGE
        if scheme == "Basic" and base64.b64decode(proof).decode() == f"{BRIDGE}:{self.password}":
            return BRIDGE
        raise AdfError(401, "Unauthorized")

    # The way of a request.
    def _route(self, call: Call, user: str) -> Reply:
        if not call.path.startswith(ROOT):
            raise AdfError(404, "There is no such version of the service.")
        if call.headers.get("REST-Framework-Version", "1") not in ("1", "2", "3", "4", "5", "6", "7", "8", "9"):
            raise AdfError(400, "The REST framework version is not known.")
        path, kind = call.path.removeprefix(ROOT), call.headers.get("Content-Type", "")
        if not path.strip("/"):
            return self._batch(call, user) if call.method == "POST" and kind == BATCH else Reply(405)
        operation = {"GET": "get", "POST": "create", "PATCH": "update", "DELETE": "delete"}.get(call.method, "")
        upserts = call.headers.get("Upsert-Mode", "false").lower() == "true"
        body = _body(call) if operation in ("create", "update") else None
        return self._serve("upsert" if upserts and operation == "create" else operation, path, dict(call.query), body, user, call.headers)

    def _batch(self, call: Call, user: str) -> Reply:
        """All parts or none; of a failure only its error is told."""
        parts = _body(call).get("parts")
        if not isinstance(parts, list):
            raise AdfError(400, "The payload of a batch needs parts.")
        with self.pod.whole():
            answers = [{"id": part["id"], "path": part["path"], "operation": part["operation"], "payload": self._part(part, user)} for part in parts]
        return Reply(200, {"parts": answers}, {"Content-Type": BATCH})

    def _part(self, part: Mapping[str, Any], user: str) -> Any:
        if self.part_fails():
            raise AdfError(503, "The server is too busy for this part.")
        split = urlsplit(part["path"])
        return self._serve(part["operation"], split.path, dict(parse_qsl(split.query)), part.get("payload"), user, {}).body

    def _serve(self, operation: str, path: str, query: Mapping[str, str], body: Any, user: str, headers: Mapping[str, str]) -> Reply:
        resource, *rest = map(unquote, path.strip("/").split("/"))
        self._check_access(resource)
        if rest == ["describe"]:
            return Reply(200, self._describe(resource))
        if not rest:
            return self._collection(operation, resource, query, body, user)
        if len(rest) == 1:
            return self._item(operation, resource, rest[0], query, body, user, headers)
        return self._child(operation, self.pod.find(resource, rest[0]), rest[1:], body, user)

    def _collection(self, operation: str, resource: str, query: Mapping[str, str], body: Any, user: str) -> Reply:
        if operation == "get":
            return Reply(200, self._list(resource, query), {"Content-Type": COLLECTION})
        with self.pod.whole():
            row, is_new = self.pod.upsert(resource, body, user) if operation == "upsert" else (self.pod.create(resource, body, user), True)
        return Reply(201 if is_new else 200, self._show(resource, row, {}))

    def _item(self, operation: str, resource: str, key: str, query: Mapping[str, str], body: Any, user: str, headers: Mapping[str, str]) -> Reply:
        row = self.pod.find(resource, key)
        wanted = headers.get("If-Match")
        if wanted and wanted.strip('"') != self.pod.etag(row):
            raise AdfError(412, "The record was changed since it was read.")
        if operation == "update":
            with self.pod.whole():
                self.pod.update(resource, row, body, user)
        elif operation == "delete":
            self.pod.delete(resource, row)
            return Reply(204)
        return Reply(200, self._show(resource, row, query), {"ETag": f'"{self.pod.etag(row)}"'})

    def _child(self, operation: str, row: Row, rest: list[str], body: Any, user: str) -> Reply:
        if rest[:2] != ["child", "messages"]:
            raise not_found(rest[-1])
        if len(rest) == 2 and operation == "create":
            return Reply(201, self._show("messages", self.pod.add_message(row, body, user), {}))
        messages = self.pod.messages(row)
        if len(rest) == 2:
            return Reply(200, {"items": [self._show("messages", each, {}) for each in messages], "count": len(messages), "hasMore": False})
        message = next((each for each in messages if str(each["MessageId"]) == rest[2]), None)
        if message is None:
            raise not_found("messages")
        if operation == "delete" and not rest[3:]:
            self.pod.delete_message(row, message, user)
            return Reply(204)
        if rest[3:] == ["enclosure", "MessageContent"]:
            return Reply(200, message["MessageContent"].encode(), {"Content-Type": "application/octet-stream"})
        return Reply(200, self._show("messages", message, {}))

    # Lists.
    def _list(self, resource: str, query: Mapping[str, str]) -> dict[str, Any]:
        found = self.pod.rows(resource)
        if query.get("expand") and query.get("fields"):
            raise AdfError(400, "URL request parameter expand cannot be used with fields.", "27521")
        if query.get("q"):
            test = parse_rowmatch(query["q"], lambda name: self.pod.check(resource, name))
            found = [row for row in found if test(row)]
        for name, _, direction in reversed([each.partition(":") for each in query.get("orderBy", "").split(",") if each]):
            self.pod.check(resource, name)
            found = sorted(found, key=lambda row: _sortable(row.get(name)), reverse=direction == "desc")
        limit, offset = min(int(query.get("limit", DEFAULT_LIMIT)), MAX_LIMIT), int(query.get("offset", 0))
        page = found[offset : offset + limit]
        total = {"totalResults": len(found)} if query.get("totalResults") == "true" else {}
        more = offset + len(page) < len(found)
        items = [self._show(resource, row, query) for row in page]
        return {"items": items, **total, "count": len(page), "hasMore": more, "limit": limit, "offset": offset, "links": []}

    def _show(self, resource: str, row: Row, query: Mapping[str, str]) -> dict[str, Any]:
        """All attributes, or those that are named; large objects are left to their own address; links unless only data is asked for."""
        parts = [part.partition(":") for part in query.get("fields", "").split(";") if part]
        own = next((names for names, colon, _ in parts if not colon), "").split(",") if parts else []
        for name in filter(None, own):
            self.pod.check(resource, name)
        shown = {name: row.get(name) for name, kind in self.pod.attributes(resource).items() if kind != "lob" and (not own or name in own)}
        children = {child: names.split(",") for child, colon, names in parts if colon}
        if resource == "serviceRequests" and "messages" in (*children, *query.get("expand", "").split(",")):
            fields = {"fields": ",".join(children.get("messages", []))}
            shown["messages"] = [self._show("messages", each, {**fields, "onlyData": "true"}) for each in self.pod.messages(row)]
        if query.get("onlyData") != "true":
            key = row[KEYS[resource][1]]
            link = {"rel": "self", "href": f"{self.url}{ROOT}/{resource}/{key}", "name": resource, "kind": "item"}
            shown["links"] = [{**link, "properties": {"changeIndicator": self.pod.etag(row)}}]
        return shown

    def _describe(self, resource: str) -> dict[str, Any]:
        attributes = [{"name": name, "type": kind.partition(":")[0], "updatable": True} for name, kind in self.pod.attributes(resource).items()]
        return {"Resources": {resource: {"title": resource, "attributes": attributes}}}

    def _check_access(self, resource: str) -> None:
        if resource not in ATTRIBUTES or resource == "messages":
            raise not_found(resource)
        if resource in self.hidden:
            raise AdfError(403, "You are not authorised to see this resource.")


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is None, value if isinstance(value, int | float) else str(value)


def _body(call: Call) -> dict[str, Any]:
    if not re.search(r"json", call.headers.get("Content-Type", "")):
        raise AdfError(415, "The media type is not supported.")
    try:
        body = json.loads(call.raw or b"null")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise AdfError(400, "The payload cannot be parsed.")
    return body


@contextmanager
def oracle() -> Iterator[Simulator]:
    simulator = Simulator()
    with serving(simulator):
        yield simulator
