"""Salesforce's REST API over HTTP on 127.0.0.1, in front of an `Org`. What it answers follows Salesforce's documents, not any client."""

from __future__ import annotations

import json
import re
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from tests.kit.salesforce.errors import SalesforceError
from tests.kit.salesforce.org import Org
from tests.kit.salesforce.queries import attributes
from tests.kit.simulated import Call, Reply, serving
from tests.kit.simulated import Simulator as Base

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT_ID, CLIENT_SECRET = "3MVG9.example.consumer", "example-consumer-secret"
USERNAME, AUDIENCE = "caseline@acme.example", "https://login.salesforce.com"


class Simulator(Base):
    """`org` is its state, `faults` what goes wrong, `calls` what came in. `public_key` (PEM) verifies JWT bearers; `limit` is the daily quota.

    `refuses`: the credentials are wrong from now on.
    """

    has_batches = True

    def __init__(self, org: Org | None = None) -> None:
        super().__init__()
        self.org = org or Org()
        self.sessions: set[str] = set()
        self.logins = 0
        self.public_key: bytes | None = None
        self.limit, self.used = 100_000, 0
        self.refuses = False

    def expire_sessions(self) -> None:
        self.sessions.clear()

    def rest_calls(self) -> list[Call]:
        """Without logins."""
        return [call for call in self.calls if not call.path.startswith("/services/oauth2/")]

    def take(self, call: Call) -> Reply:
        """Several at a time: races between savers are what some tests are about; the org has locks of its own."""
        return self.answer(call)

    # The way of a request.
    def answer(self, call: Call) -> Reply:
        try:
            reply = self._log_in(call) if call.path == "/services/oauth2/token" else self._route(call)
        except SalesforceError as fault:
            reply = Reply(fault.status, fault.body())
        if call.path != "/services/data" and not call.path.startswith("/services/oauth2/"):
            reply.headers["Sforce-Limit-Info"] = f"api-usage={self.used}/{self.limit}"
        return reply

    def _log_in(self, call: Call) -> Reply:
        form = dict(parse_qsl(call.raw.decode("utf-8", "replace")))
        check = {"client_credentials": self._client, JWT_GRANT: self._bearer}.get(form.get("grant_type", ""))
        error = check(form, call) if check else ("unsupported_grant_type", "grant type not supported")
        if error:
            return Reply(400, {"error": error[0], "error_description": error[1]})
        self.logins += 1
        token = f"00D5g000001{self.logins:04d}!AQ.{self.logins}"
        self.sessions.add(token)
        return Reply(200, {
            "access_token": token, "signature": "c2ln", "token_format": "opaque", "instance_url": self.url, "token_type": "Bearer",
            "id": f"https://login.salesforce.com/id/00D5g0000012345EAA/{self.org.user}", "issued_at": "1732212000000", "scope": "api",
        })  # fmt: skip

    def _client(self, form: Mapping[str, str], call: Call) -> tuple[str, str] | None:
        given = (form.get("client_id", ""), form.get("client_secret", ""))
        basic = call.headers.get("Authorization", "")
        if basic.startswith("Basic "):
            name, _, word = b64decode(basic[6:]).decode().partition(":")
            given = (name, word)
        if given[0] != CLIENT_ID or self.refuses:
            return "invalid_client_id", "client identifier invalid"
        return None if given[1] == CLIENT_SECRET else ("invalid_client", "invalid client credentials")

    def _bearer(self, form: Mapping[str, str], call: Call) -> tuple[str, str] | None:
        import jwt

        if not self.public_key:
            return "invalid_grant", "user hasn't approved this consumer"
        try:
            needed = {"require": ["iss", "sub", "aud", "exp"]}
            claims = jwt.decode(form.get("assertion", ""), self.public_key, algorithms=["RS256"], audience=AUDIENCE, options=needed)
        except jwt.InvalidAudienceError:
            return "invalid_grant", "audience is invalid"
        except jwt.ExpiredSignatureError:
            return "invalid_grant", "expired authorization code"
        except jwt.PyJWTError:
            return "invalid_grant", "invalid assertion"
        if float(claims["exp"]) > time.time() + 300:
            return "invalid_grant", "invalid assertion"
        if claims["iss"] != CLIENT_ID:
            return "invalid_client_id", "client identifier invalid"
        return None if claims["sub"] == USERNAME else ("invalid_grant", "user hasn't approved this consumer")

    def _route(self, call: Call) -> Reply:
        path = call.path.rstrip("/")
        if path == "/services/data":
            return Reply(200, [{"label": f"Release {n}", "url": f"/services/data/v{n}.0", "version": f"{n}.0"} for n in (59, 66)])
        if call.headers.get("Authorization", "").removeprefix("Bearer ") not in self.sessions:
            raise SalesforceError(401, "INVALID_SESSION_ID", "Session expired or invalid")
        self.used += 1
        if self.used > self.limit:
            raise SalesforceError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        return self.dispatch(call)

    def dispatch(self, call: Call) -> Reply:
        found = re.fullmatch(r"(/services/data/v\d+\.\d)(/.*)?", call.path.rstrip("/"))
        if not found:
            raise SalesforceError(404, "NOT_FOUND", "The requested resource does not exist")
        call.root, rest = found[1], found[2] or ""
        for method, pattern, handle in _ROUTES:
            match = re.fullmatch(pattern, rest)
            if match and method == call.method:
                return handle(self, call, *map(unquote, match.groups()))
        if any(re.fullmatch(pattern, rest) for _, pattern, _ in _ROUTES):
            raise SalesforceError(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{call.method}' not allowed.")
        raise SalesforceError(404, "NOT_FOUND", "The requested resource does not exist")

    # Resources.
    def resources(self, call: Call) -> Reply:
        return Reply(200, {name: f"{call.root}/{name}" for name in ("sobjects", "query", "search", "limits", "composite", "parameterizedSearch")})

    def limits(self, call: Call) -> Reply:
        return Reply(200, {"DailyApiRequests": {"Max": self.limit, "Remaining": max(0, self.limit - self.used)}})

    def query(self, call: Call) -> Reply:
        if "q" not in call.query:
            raise SalesforceError(400, "MALFORMED_QUERY", "q is required")
        return Reply(200, self.org.query(call.query["q"], call.root))

    def query_deleted(self, call: Call) -> Reply:
        return Reply(200, self.org.query(call.query.get("q", ""), call.root, include_deleted=True))

    def more(self, call: Call, locator: str) -> Reply:
        return Reply(200, self.org.next_page(locator, call.root))

    def search(self, call: Call) -> Reply:
        return Reply(200, self.org.search(call.query.get("q", ""), call.root))

    def parameterized(self, call: Call) -> Reply:
        simple = {**call.query, "sobjects": [{"name": call.query.get("sobject", "Contact")}]}
        asked = call.body if call.method == "POST" else simple
        found = [record for each in asked.get("sobjects", []) for record in self._find(asked, each, call.root)]
        return Reply(200, {"searchRecords": found})

    def _find(self, asked: Mapping[str, Any], each: Mapping[str, Any], root: str) -> list[dict[str, Any]]:
        scope = str(asked.get("in", "ALL")).upper()
        return self.org.find_terms([str(asked.get("q", ""))], scope, self.org.entity(each["name"]), each.get("fields", ["Id"]), root)

    def describe_all(self, call: Call) -> Reply:
        return Reply(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [{"name": e.name, "keyPrefix": e.prefix} for e in self.org.entities.values()]})

    def describe(self, call: Call, name: str) -> Reply:
        entity = self.org.entity(name)
        fields = [_described(*each) for each in entity.fields.items()]
        return Reply(200, {"name": entity.name, "keyPrefix": entity.prefix, "createable": True, "fields": fields})

    def tooling_query(self, call: Call) -> Reply:
        return Reply(200, self.org.query(call.query.get("q", ""), call.root))

    def create_metadata(self, call: Call, name: str) -> Reply:
        body = _object(call)
        if name == "CustomField":
            self.org.create_field(body["FullName"], body["Metadata"])
            return Reply(201, {"id": "00N5g00000000001AAA", "success": True, "errors": []})
        record = self.org.create(self.org.entity(name), {"ValidationName": body["FullName"].partition(".")[2], "Active": body["Metadata"]["active"]}, {})
        return Reply(201, {"id": record["Id"], "success": True, "errors": []})

    def create(self, call: Call, name: str) -> Reply:
        record = self.org.create(self.org.entity(name), _object(call), call.headers)
        return Reply(201, {"id": record["Id"], "success": True, "errors": []})

    def get(self, call: Call, name: str, record_id: str) -> Reply:
        entity = self.org.entity(name)
        return self._record(call, entity, self.org.fetch(entity, record_id))

    def _record(self, call: Call, entity: Any, record: Mapping[str, Any]) -> Reply:
        wanted = call.query.get("fields", "").split(",") if "fields" in call.query else list(entity.fields)
        shown = {"attributes": attributes(entity, dict(record), call.root)}
        for column in wanted:
            if not entity.column(column):
                raise SalesforceError(400, "INVALID_FIELD", f"\n{column}\n^\nERROR at Row:1:Column:1\nNo such column '{column}' on entity '{entity.name}'. ")
            shown[entity.column(column)] = record[entity.column(column)]
        return Reply(200, shown)

    def update(self, call: Call, name: str, record_id: str) -> Reply:
        self.org.update(self.org.entity(name), record_id, _object(call), call.headers)
        return Reply(204)

    def delete(self, call: Call, name: str, record_id: str) -> Reply:
        self.org.delete(self.org.entity(name), record_id)
        return Reply(204)

    def updated(self, call: Call, name: str) -> Reply:
        ids = [record["Id"] for record in self.org.all(self.org.entity(name).name)]
        return Reply(200, {"ids": ids, "latestDateCovered": self.org.now.strftime("%Y-%m-%dT%H:%M:%S.000+0000")})

    def get_external(self, call: Call, name: str, field_name: str, value: str) -> Reply:
        entity = self.org.entity(name)
        found = self.org.find_external(entity, field_name, value)
        if not found:
            raise SalesforceError(404, "NOT_FOUND", "The requested resource does not exist")
        return self._record(call, entity, found[0]) if len(found) == 1 else _several(call, entity, found)

    def upsert(self, call: Call, name: str, field_name: str, value: str) -> Reply:
        if re.search(r"\.\w{2,4}\Z", value):
            # Documented: a value that looks like a file name is taken for one.
            raise SalesforceError(404, "NOT_FOUND", "The requested resource does not exist")
        entity = self.org.entity(name)
        if call.query.get("updateOnly") == "true" and not self.org.find_external(entity, field_name, value):
            raise SalesforceError(404, "NOT_FOUND", "The requested resource does not exist")
        record, created = self.org.upsert(entity, field_name, value, _object(call), call.headers)
        if isinstance(record, list):
            return _several(call, entity, record)
        return Reply(201 if created else 200, {"id": record["Id"], "success": True, "errors": [], "created": created})

    def upsert_many(self, call: Call, name: str, field_name: str) -> Reply:
        """Up to 200 records; each stands or falls for itself, and says so in a shape of its own."""
        records, entity = _object(call).get("records", []), self.org.entity(name)
        if not 0 < len(records) <= 200:
            raise SalesforceError(400, "LIMIT_EXCEEDED", "record limit reached. cannot submit more than 200 records into this call")
        return Reply(200, [self._upsert_one(call, entity, field_name, dict(record)) for record in records])

    def _upsert_one(self, call: Call, entity: Any, field_name: str, values: dict[str, Any]) -> dict[str, Any]:
        values.pop("attributes")
        key = str(values.pop(field_name))
        try:
            if self.part_fails():
                raise SalesforceError(503, "SERVER_UNAVAILABLE", "The server is too busy for this record")
            record, created = self.org.upsert(entity, field_name, key, values, call.headers)
        except SalesforceError as fault:
            if fault.code == "INVALID_FIELD":
                raise
            return {"success": False, "errors": [{"statusCode": fault.code, "message": fault.message, "fields": fault.fields or []}]}
        return {"id": record["Id"], "success": True, "errors": [], "created": created}

    def composite(self, call: Call) -> Reply:
        asked = _object(call)
        parts = asked.get("compositeRequest", [])
        if not 0 < len(parts) <= 25 or sum(bool(re.search("/query|/composite/sobjects", part["url"])) for part in parts) > 5:
            raise SalesforceError(400, "LIMIT_EXCEEDED", "The request can't contain more than 25 subrequests, 5 of them queries.")
        if len({part["referenceId"] for part in parts}) < len(parts) or not all(re.fullmatch(r"\w+", part["referenceId"]) for part in parts):
            raise SalesforceError(400, "INVALID_INPUT", "Reference ids must be unique and have letters, digits and underscores only.")
        if any(part["method"] == "POST" for part in parts):
            self.org.before_insert()
        ordered = parts if asked.get("collateSubrequests") is False else _collated(parts)
        return Reply(200, {"compositeResponse": self._run_whole(call, ordered) if asked.get("allOrNone") else self._run(call, ordered)})

    def _run(self, call: Call, parts: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
        done: dict[str, Any] = {}
        return [self._part(call, part, done) for part in parts]

    def _run_whole(self, call: Call, parts: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """If one fails, nothing was done, and the others say so."""
        halted = [{"errorCode": "PROCESSING_HALTED", "message": "The transaction was rolled back since another operation in the same transaction failed."}]
        done: dict[str, Any] = {}
        with self.org.transaction() as undo:
            for part in parts:
                answer = self._part(call, part, done)
                if answer["httpStatusCode"] >= 300:
                    undo()
                    rolled = {"body": halted, "httpHeaders": {}, "httpStatusCode": 400}
                    return [answer if each is part else {**rolled, "referenceId": each["referenceId"]} for each in parts]
                done[f"={part['referenceId']}"] = answer
        return [done[f"={part['referenceId']}"] for part in parts]

    def _part(self, call: Call, part: Mapping[str, Any], done: dict[str, Any]) -> dict[str, Any]:
        try:
            if self.part_fails():
                raise SalesforceError(503, "SERVER_UNAVAILABLE", "The server is too busy for this part")
            if {name.lower() for name in part.get("httpHeaders", {})} & {"accept", "authorization", "content-type"}:
                raise SalesforceError(400, "INVALID_INPUT", "A subrequest inherits Accept, Authorization and Content-Type.")
            # Taken for a reference in whatever way it is spelled: stricter than it may be.
            split = urlsplit(_refer(re.sub("%40%7[bB]", "@{", part["url"]).replace("%7D", "}"), done))
            body = json.loads(_refer(json.dumps(part["body"]), done)) if "body" in part else None
            if "/search" in split.path:
                raise SalesforceError(400, "INVALID_REQUEST", "The resource is not supported in a composite request")
            query = {k: v[0] for k, v in parse_qs(split.query).items()}
            reply = self.dispatch(Call(part["method"], split.path, query, part.get("httpHeaders", {}), body))
        except SalesforceError as fault:
            reply = Reply(fault.status, fault.body())
        done[part["referenceId"]] = reply.body
        return {"body": reply.body, "httpHeaders": reply.headers, "httpStatusCode": reply.status, "referenceId": part["referenceId"]}


def _collated(parts: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Requests that do not refer to each other run in any order: here in the one that is least expected."""
    free = [part for part in parts if "@{" not in json.dumps(part)]
    return [*reversed(free), *(part for part in parts if part not in free)]


def _described(name: str, field: Any) -> dict[str, Any]:
    kinds = {"text": "string", "number": "double"}
    values = [{"value": value, "label": value, "active": True} for value in field.values]
    return {
        "name": name, "type": kinds.get(field.kind, field.kind), "length": field.length, "externalId": field.external_id, "unique": field.unique,
        "createable": field.writable, "updateable": field.writable, "filterable": field.filterable, "picklistValues": values,
    }  # fmt: skip


def _refer(text: str, done: Mapping[str, Any]) -> str:
    """`@{acc.records[0].Id}` is what the sub-request `acc` answered there."""

    def value(match: re.Match[str]) -> str:
        found: Any = done
        try:
            for name in re.findall(r"[^.\[\]]+", match[1]):
                found = found[int(name)] if isinstance(found, list) else found[name]
        except (KeyError, IndexError, TypeError, ValueError):
            raise SalesforceError(400, "PROCESSING_HALTED", f"Invalid reference specified. No value for {match[1]} found") from None
        return str(found)

    return re.sub(r"@\{([^}]+)\}", value, text)


def _several(call: Call, entity: Any, found: list[dict[str, Any]]) -> Reply:
    return Reply(300, [f"{call.root}/sobjects/{entity.name}/{record['Id']}" for record in found])


def _object(call: Call) -> dict[str, Any]:
    if not isinstance(call.body, dict):
        raise SalesforceError(400, "JSON_PARSER_ERROR", "The HTTP entity body is required, but this request has no entity body.")
    return call.body


_NAME, _VALUE = r"(\w+)", r"([^/]+)"
_ROUTES: list[tuple[str, str, Callable[..., Reply]]] = [
    ("GET", "", Simulator.resources),
    ("GET", "/limits", Simulator.limits),
    ("GET", "/query", Simulator.query),
    ("GET", "/queryAll", Simulator.query_deleted),
    ("GET", f"/query/{_VALUE}", Simulator.more),
    ("GET", "/search", Simulator.search),
    ("GET", "/parameterizedSearch", Simulator.parameterized),
    ("POST", "/parameterizedSearch", Simulator.parameterized),
    ("POST", "/composite", Simulator.composite),
    ("PATCH", f"/composite/sobjects/{_NAME}/{_NAME}", Simulator.upsert_many),
    ("GET", "/tooling/query", Simulator.tooling_query),
    ("POST", f"/tooling/sobjects/{_NAME}", Simulator.create_metadata),
    ("GET", "/sobjects", Simulator.describe_all),
    ("GET", f"/sobjects/{_NAME}/describe", Simulator.describe),
    ("GET", f"/sobjects/{_NAME}/updated", Simulator.updated),
    ("POST", f"/sobjects/{_NAME}", Simulator.create),
    ("GET", f"/sobjects/{_NAME}/{_VALUE}", Simulator.get),
    ("PATCH", f"/sobjects/{_NAME}/{_VALUE}", Simulator.update),
    ("DELETE", f"/sobjects/{_NAME}/{_VALUE}", Simulator.delete),
    ("GET", f"/sobjects/{_NAME}/{_NAME}/{_VALUE}", Simulator.get_external),
    ("PATCH", f"/sobjects/{_NAME}/{_NAME}/{_VALUE}", Simulator.upsert),
]


@contextmanager
def salesforce() -> Iterator[Simulator]:
    simulator = Simulator()
    with serving(simulator):
        yield simulator
