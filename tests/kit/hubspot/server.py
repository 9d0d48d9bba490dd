"""HubSpot's CRM API over HTTP on 127.0.0.1, in front of a `Portal`. What it answers follows HubSpot's documents, not any client."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from tests.kit.hubspot.errors import HubSpotError, invalid_input
from tests.kit.hubspot.portal import APP, APP_ID, PORTAL_ID, Portal, Record
from tests.kit.hubspot.schema import IDS, STAGES, show_time
from tests.kit.hubspot.search import search
from tests.kit.simulated import Call, Reply, serving
from tests.kit.simulated import Simulator as Base

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, PRIVATE_TOKEN = "3b0ca0e4-app", "app-secret", "refresh-1", "pat-eu1-private"
SCOPES = (
    "crm.objects.contacts.read", "crm.objects.contacts.write", "crm.objects.companies.read", "crm.objects.companies.write", "tickets",
    "sales-email-read", "oauth",
)  # fmt: skip
BATCH, HISTORY_BATCH, TEN_SECONDS = 100, 50, 190
LOGINS = ("/oauth/",)


class Simulator(Base):
    """`portal` is its state, `faults` what goes wrong, `calls` what came in. `daily` and `rolling` are what is left of the two windows."""

    content_type = "application/json;charset=utf-8"
    has_batches = True

    def __init__(self, portal: Portal | None = None) -> None:
        super().__init__()
        self.portal = portal or Portal()
        self.tokens: set[str] = {PRIVATE_TOKEN}
        self.refresh_token, self.scopes = REFRESH_TOKEN, SCOPES
        self.logins, self.daily, self.allowed, self.rolling = 0, 650_000, 650_000, TEN_SECONDS

    def api_calls(self) -> list[Call]:
        """Without logins."""
        return [call for call in self.calls if not call.path.startswith(LOGINS)]

    def answer(self, call: Call) -> Reply:
        try:
            reply = self._login(call) if call.path.startswith(LOGINS) else self._route(call)
        except HubSpotError as fault:
            reply = fault.reply()
        if not call.path.startswith(LOGINS) and not call.path.endswith("/search"):
            reply.headers |= {
                "X-HubSpot-RateLimit-Daily": str(self.allowed), "X-HubSpot-RateLimit-Daily-Remaining": str(self.daily),
                "X-HubSpot-RateLimit-Interval-Milliseconds": "10000", "X-HubSpot-RateLimit-Max": str(TEN_SECONDS),
                "X-HubSpot-RateLimit-Remaining": str(self.rolling),
            }  # fmt: skip
        return reply

    # Logging in.
    def _login(self, call: Call) -> Reply:
        if call.method == "POST" and call.path == "/oauth/v1/token":
            return self._refresh(call.form)
        if call.method == "GET" and call.path.startswith("/oauth/v1/access-tokens/"):
            return self._about(unquote(call.path.rpartition("/")[2]), "hub_id", "app_id")
        if call.method == "POST" and call.path == "/oauth/v2/private-apps/get/access-token-info":
            return self._about((call.body or {}).get("tokenKey", ""), "hubId", "appId")
        raise HubSpotError(404, "NOT_FOUND", "resource not found")

    def _refresh(self, form: Mapping[str, str]) -> Reply:
        if form.get("grant_type") != "refresh_token":
            return Reply(400, {"status": "BAD_GRANT_TYPE", "message": "missing or unknown grant type"})
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return Reply(400, {"status": "BAD_CLIENT_ID", "message": "missing or unknown client id"})
        if form.get("refresh_token") != self.refresh_token:
            return Reply(400, {"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"})
        self.logins += 1
        token = f"CPj{self.logins:06d}"
        self.tokens.add(token)
        return Reply(200, {"token_type": "bearer", "refresh_token": self.refresh_token, "access_token": token, "expires_in": 1800})

    def _about(self, token: str, portal: str, app: str) -> Reply:
        if token not in self.tokens:
            raise HubSpotError(404, "NOT_FOUND", "the token is not known")
        return Reply(200, {portal: int(PORTAL_ID), app: int(APP_ID), "scopes": list(self.scopes), "user_id": 9, "hub_domain": "acme.example"})

    # The way of a request.
    def _route(self, call: Call) -> Reply:
        if call.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            raise HubSpotError(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
        self._count()
        path = re.sub(r"^/crm/(objects|properties|associations)/20\d\d-\d\d/", r"/crm/v3/\1/", call.path.rstrip("/"))
        for method, pattern, handle in _ROUTES:
            found = re.fullmatch(pattern, path)
            if found and method == call.method:
                return handle(self, call, *map(unquote, found.groups()))
        raise HubSpotError(404, "NOT_FOUND", "resource not found")

    def _count(self) -> None:
        for name, left in (("DAILY", self.daily), ("TEN_SECONDLY_ROLLING", self.rolling)):
            if left <= 0:
                message = f"You have reached your {name.lower()} limit."
                raise HubSpotError(429, "RATE_LIMITS", message, errorType="RATE_LIMIT", policyName=name)
        self.daily -= 1

    # Records.
    def create(self, call: Call, kind: str) -> Reply:
        body = _object(call.body, "properties", "associations")
        record = self.portal.create(_kind(kind), _texts(body), APP, _associations(body))
        return Reply(201, self.portal.show(record, list(record.properties)))

    def list(self, call: Call, kind: str) -> Reply:
        archived, limit, after = _flag(call), int(call.query.get("limit", 10)), call.query.get("after", "0")
        if limit > 100:
            raise HubSpotError(400, "VALIDATION_ERROR", "limit is at most 100")
        found = [record for record in self.portal.records[_kind(kind)].values() if bool(record.archived) == archived and int(record.id) > int(after)]
        names = _listed(call, "properties")
        body: dict[str, Any] = {"results": [self.portal.show(record, names) for record in found[:limit]]}
        if len(found) > limit:
            body["paging"] = {"next": {"after": found[limit - 1].id}}
        return Reply(200, body)

    def read(self, call: Call, kind: str, record_id: str) -> Reply:
        record = self.portal.find(_kind(kind), record_id, call.query.get("idProperty", ""), _flag(call))
        body = self.portal.show(record, _listed(call, "properties"), _listed(call, "propertiesWithHistory"))
        if associations := _listed(call, "associations"):
            body["associations"] = {to: {"results": self._linked(record, to)} for to in associations if self.portal.linked(record, _kind(to))}
        return Reply(200, body)

    def _linked(self, record: Record, to: str) -> list[dict[str, Any]]:
        return [{"id": other.id, "type": f"{record.kind[:-1]}_to_{to[:-1]}"} for other in self.portal.linked(record, _kind(to))]

    def update(self, call: Call, kind: str, record_id: str) -> Reply:
        values = _texts(_object(call.body, "properties"))
        record = self.portal.find(_kind(kind), record_id, call.query.get("idProperty", ""))
        self.portal.update(record, values, APP)
        return Reply(200, self.portal.show(record, list(values)))

    def archive(self, call: Call, kind: str, record_id: str) -> Reply:
        record = self.portal.records[_kind(kind)].get(record_id)
        if record and not record.archived:
            self.portal.archive(record)
        return Reply(204)

    def merge(self, call: Call, kind: str) -> Reply:
        body = _object(call.body, "primaryObjectId", "objectIdToMerge")
        return Reply(200, self.portal.show(self.portal.merge(_kind(kind), body["primaryObjectId"], body["objectIdToMerge"], APP)))

    def search(self, call: Call, kind: str) -> Reply:
        return Reply(200, search(self.portal, _kind(kind), call.body))

    # Batches: what can be done is done, what cannot is named.
    def batch_read(self, call: Call, kind: str) -> Reply:
        body = _object(call.body, "inputs", "properties", "propertiesWithHistory")
        names, history, by = body["properties"], body["propertiesWithHistory"], body.get("idProperty", "")
        _check_size(body["inputs"], HISTORY_BATCH if history else BATCH)
        return self._batch([(each["id"], lambda each=each: self.portal.find(_kind(kind), each["id"], by)) for each in body["inputs"]], names, history)

    def batch_create(self, call: Call, kind: str) -> Reply:
        inputs = [_object(each, "properties", "associations") for each in _object(call.body, "inputs")["inputs"]]
        _check_size(inputs, BATCH)
        made = [self.portal.create(_kind(kind), _texts(each), APP, _associations(each)) for each in inputs]
        return self._complete([self.portal.show(record, list(record.properties)) for record in made], [], 201)

    def batch_update(self, call: Call, kind: str) -> Reply:
        inputs = [_object(each, "id", "properties") for each in _object(call.body, "inputs")["inputs"]]
        _check_size(inputs, BATCH)
        return self._batch([(each["id"], lambda each=each: self._update_one(_kind(kind), each)) for each in inputs], [], [])

    def _update_one(self, kind: str, each: Mapping[str, Any]) -> Record:
        return self.portal.update(self.portal.find(kind, each["id"], each.get("idProperty", "")), _texts(each), APP)

    def batch_upsert(self, call: Call, kind: str) -> Reply:
        inputs = [_object(each, "id", "properties") for each in _object(call.body, "inputs")["inputs"]]
        _check_size(inputs, BATCH)
        results, errors = [], []
        for each in inputs:
            try:
                self._check_part()
                results.append(self._upsert_one(_kind(kind), each))
            except HubSpotError as fault:
                errors.append(_part(fault, each["id"]))
        return self._complete(results, errors, 200)

    def _upsert_one(self, kind: str, each: Mapping[str, Any]) -> dict[str, Any]:
        by, values = each.get("idProperty") or "", _texts(each)
        try:
            record, new = self.portal.update(self.portal.find(kind, each["id"], by), values, APP), False
        except HubSpotError as fault:
            if fault.status != 404 or not by:
                raise
            record, new = self.portal.create(kind, {**values, by: each["id"]}, APP), True
        return {**self.portal.show(record, list(record.properties)), "new": new}

    def batch_archive(self, call: Call, kind: str) -> Reply:
        for each in _object(call.body, "inputs")["inputs"]:
            self.archive(call, kind, each["id"])
        return Reply(204)

    def _batch(self, parts: Sequence[tuple[str, Callable[[], Record]]], names: Sequence[str], history: Sequence[str]) -> Reply:
        results, errors = [], []
        for record_id, act in parts:
            try:
                self._check_part()
                results.append(self.portal.show(act(), names, history))
            except HubSpotError as fault:
                errors.append(_part(fault, record_id))
        return self._complete(results, errors, 200)

    def _check_part(self) -> None:
        if self.part_fails():
            raise _busy()

    def _complete(self, results: Sequence[Any], errors: Sequence[Any], status: int) -> Reply:
        now = show_time(self.portal.clock())
        body = {"status": "COMPLETE", "results": list(results), "startedAt": now, "completedAt": now}
        return Reply(207, {**body, "numErrors": len(errors), "errors": list(errors)}) if errors else Reply(status, body)

    # Associations.
    def associations_read(self, call: Call, kind: str, to: str) -> Reply:
        results, errors = [], []
        for each in _object(call.body, "inputs")["inputs"]:
            record = self.portal.records[_kind(kind)].get(each["id"])
            ends = self._ends(record, to) if record and not record.archived else []
            if self.part_fails():
                errors.append(_part(_busy(), each["id"]))
            elif ends:
                results.append({"from": {"id": each["id"]}, "to": ends})
            else:
                fault = HubSpotError(404, "OBJECT_NOT_FOUND", f"No {to} is associated with {each['id']}.", subCategory="crm.associations.NO_ASSOCIATIONS_FOUND")
                errors.append({name: value for name, value in _part(fault, each["id"]).items() if name != "subCategory"})
        return self._complete(results, errors, 200)

    def associations_of(self, call: Call, kind: str, record_id: str, to: str) -> Reply:
        return Reply(200, {"results": self._ends(self.portal.find(_kind(kind), record_id), to)})

    def associate(self, call: Call, kind: str, record_id: str, to: str, other_id: str) -> Reply:
        record, other = self.portal.find(_kind(kind), record_id), self.portal.find(_kind(to), other_id)
        self.portal.associate(record, other)
        ends = [({"id": a.id}, {"id": b.id}) for a, b in ((record, other), (other, record))]
        spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": record.associations[other.kind][other.id]}
        return self._complete([{"from": start, "to": end, "associationSpec": spec} for start, end in ends], [], 200)

    def _ends(self, record: Record, to: str) -> list[dict[str, Any]]:
        found = [(other.id, record.associations[other.kind][other.id]) for other in self.portal.linked(record, _kind(to))]
        return [{"toObjectId": other, "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": type_id}]} for other, type_id in found]

    # Definitions.
    def properties(self, call: Call, kind: str) -> Reply:
        return Reply(200, {"results": list(self.portal.properties[_kind(kind)].values())})

    def property(self, call: Call, kind: str, name: str) -> Reply:
        if name not in self.portal.properties[_kind(kind)]:
            raise HubSpotError(404, "OBJECT_NOT_FOUND", f"{name} does not exist")
        return Reply(200, self.portal.properties[_kind(kind)][name])

    def add_property(self, call: Call, kind: str) -> Reply:
        body = _object(call.body, "name", "label", "type", "fieldType", "groupName")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", body["name"]) or body["type"] not in ("string", "number", "date", "datetime", "enumeration", "bool"):
            raise HubSpotError(400, "VALIDATION_ERROR", "the name or the type cannot be")
        if body["type"] == "enumeration" and not body.get("options"):
            raise HubSpotError(400, "VALIDATION_ERROR", "an enumeration needs options")
        return Reply(201, self.portal.add_property(_kind(kind), body))

    def pipeline(self, call: Call, kind: str, pipeline: str) -> Reply:
        if kind != "tickets" or pipeline != "0":
            raise HubSpotError(404, "OBJECT_NOT_FOUND", "there is no such pipeline")
        return Reply(200, self._pipeline())

    def pipelines(self, call: Call, kind: str) -> Reply:
        return Reply(200, {"results": [self._pipeline()] if kind == "tickets" else []})

    def _pipeline(self) -> dict[str, Any]:
        now = show_time(self.portal.clock())
        times = {"createdAt": now, "updatedAt": now, "archived": False}
        stages = [
            {"id": stage, "label": label, "displayOrder": int(stage), "metadata": {"ticketState": "CLOSED" if stage == "4" else "OPEN"}, **times}
            for stage, label in STAGES.items()
        ]  # fmt: skip
        return {"id": "0", "label": "Support Pipeline", "displayOrder": 0, "stages": stages, **times}


def _kind(name: str) -> str:
    """By its plural, its singular or its number."""
    found = next((kind for kind, number in IDS.items() if name in (kind, number, kind[:-1]) or (kind, name) == ("companies", "company")), None)
    if found is None:
        raise HubSpotError(400, "VALIDATION_ERROR", f"Unable to infer object type from: {name}")
    return found


def _listed(call: Call, name: str) -> list[str]:
    """Separated by commas, or given again and again."""
    return [part for text in call.queries.get(name, ()) for part in text.split(",") if part]


def _flag(call: Call) -> bool:
    return call.query.get("archived", "").lower() == "true"


def _object(body: Any, *needed: str) -> Mapping[str, Any]:
    if not isinstance(body, dict) or any(name not in body for name in needed):
        raise invalid_input(f"{', '.join(needed)} needed")
    return body


def _texts(body: Mapping[str, Any]) -> dict[str, str]:
    values = body["properties"]
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise invalid_input("properties are texts")
    return values


def _associations(body: Mapping[str, Any]) -> list[Any]:
    given = body["associations"]
    if not isinstance(given, list) or not all(isinstance(each, dict) and each.get("to") and each.get("types") for each in given):
        raise invalid_input("an association has to and types")
    return given


def _check_size(inputs: Sequence[Any], most: int) -> None:
    if not 0 < len(inputs) <= most:
        raise HubSpotError(400, "VALIDATION_ERROR", f"a batch has 1 to {most} inputs")


def _busy() -> HubSpotError:
    return HubSpotError(503, "SERVICE_UNAVAILABLE", "The server is too busy for this part")


def _part(fault: HubSpotError, record_id: str) -> dict[str, Any]:
    body = {name: value for name, value in fault.body.items() if name != "correlationId"}
    return {"errors": [], "links": {}, **body, "context": {"ids": [record_id]}}


_OBJECTS = "/crm/v3/objects/([^/]+)"
_ROUTES: Sequence[tuple[str, str, Callable[..., Reply]]] = (
    ("POST", f"{_OBJECTS}/search", Simulator.search),
    ("POST", f"{_OBJECTS}/merge", Simulator.merge),
    ("POST", f"{_OBJECTS}/batch/read", Simulator.batch_read),
    ("POST", f"{_OBJECTS}/batch/create", Simulator.batch_create),
    ("POST", f"{_OBJECTS}/batch/update", Simulator.batch_update),
    ("POST", f"{_OBJECTS}/batch/upsert", Simulator.batch_upsert),
    ("POST", f"{_OBJECTS}/batch/archive", Simulator.batch_archive),
    ("POST", _OBJECTS, Simulator.create),
    ("GET", _OBJECTS, Simulator.list),
    ("GET", f"{_OBJECTS}/([^/]+)", Simulator.read),
    ("PATCH", f"{_OBJECTS}/([^/]+)", Simulator.update),
    ("DELETE", f"{_OBJECTS}/([^/]+)", Simulator.archive),
    ("POST", "/crm/v4/associations/([^/]+)/([^/]+)/batch/read", Simulator.associations_read),
    ("GET", "/crm/v4/objects/([^/]+)/([^/]+)/associations/([^/]+)", Simulator.associations_of),
    ("PUT", "/crm/v4/objects/([^/]+)/([^/]+)/associations/default/([^/]+)/([^/]+)", Simulator.associate),
    ("GET", "/crm/v3/properties/([^/]+)", Simulator.properties),
    ("POST", "/crm/v3/properties/([^/]+)", Simulator.add_property),
    ("GET", "/crm/v3/properties/([^/]+)/([^/]+)", Simulator.property),
    ("GET", "/crm/v3/pipelines/([^/]+)", Simulator.pipelines),
    ("GET", "/crm/v3/pipelines/([^/]+)/([^/]+)", Simulator.pipeline),
)


@contextmanager
def hubspot(portal: Portal | None = None) -> Iterator[Simulator]:
    simulator = Simulator(portal)
    with serving(simulator):
        yield simulator
