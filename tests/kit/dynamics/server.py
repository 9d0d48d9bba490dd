"""Dynamics 365 over HTTP: the Dataverse Web API of one organisation, and the token endpoint of its tenant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4

from tests.kit.dynamics.batch import answer_batch
from tests.kit.dynamics.errors import DataverseError, bad_query, duplicate_key, no_record_with_key, no_route, no_such_key, undeclared_property, version_mismatch
from tests.kit.dynamics.metadata import Metadata
from tests.kit.dynamics.org import Org, Row, now_utc
from tests.kit.dynamics.query import Reader, etag
from tests.kit.dynamics.schema import Table
from tests.kit.simulated import Call, Reply, serving
from tests.kit.simulated import Simulator as Base

TENANT, CLIENT_ID, CLIENT_SECRET = "3b6ff5e4-0c1e-4f4c-8f57-2f5a0f8f7d11", "8e2b0a7c-5a0a-4d3f-9d8e-7a3f1c2b4d5e", "a-client-secret-of-the-app"
ROOT, ALLOWED, LEFT = "/api/data/v9.2", 6_000, "x-ms-ratelimit-burst-remaining-xrm-requests"
BAD_IN_KEYS = set("/<>*%&:\\?+")
_TARGET = re.compile(r"(?P<set>[a-z_]+)(?:\((?P<key>(?:[^()']|'(?:[^']|'')*')*)\))?(?:/(?P<action>Microsoft\.Dynamics\.CRM\.\w+))?")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Simulator(Base):
    """`secrets` are the client secrets that work; `tokens` those that were given and stand."""

    content_type = "application/json; odata.metadata=minimal"
    has_batches = True

    def __init__(self, clock: Callable[[], datetime] = now_utc) -> None:
        super().__init__()
        self.org = Org(clock)
        self.metadata = Metadata(self.org)
        self.secrets, self.tokens, self.logins, self.public_key = {CLIENT_SECRET}, set[str](), 0, b""

    @property
    def base(self) -> str:
        return f"{self.url}{ROOT}"

    def answer(self, call: Call) -> Reply:
        if call.path.endswith("/oauth2/v2.0/token"):
            return self._log_in(call)
        if (call.headers.get("Authorization") or "").removeprefix("Bearer ") not in self.tokens:
            return Reply(401, None, {"WWW-Authenticate": "Bearer authorization_uri=https://login.example/authorize"})
        reply = self._answer(call)
        left = max(0, ALLOWED - (len(self.calls) - self.logins))
        return Reply(reply.status, reply.body, {"OData-Version": "4.0", LEFT: str(left), "REQ_ID": str(uuid4()), **reply.headers})

    def _answer(self, call: Call) -> Reply:
        try:
            if call.path == f"{ROOT}/$batch":
                return answer_batch(call, self._answer_part, self.org.all_or_nothing, "odata.continue-on-error" in (call.headers.get("Prefer") or ""))
            return self._route(call)
        except DataverseError as error:
            return Reply(error.status, error.body())

    def _answer_part(self, call: Call) -> Reply:
        if self.part_fails():
            return Reply(503, DataverseError(503, "0x80044150", "Generic SQL error: the server is too busy for this part").body())
        return self._answer(call)

    # ---- logging in

    def _log_in(self, call: Call) -> Reply:
        self.logins += 1
        form = call.form
        if form.get("grant_type") != "client_credentials" or not form.get("scope", "").endswith("/.default"):
            return _refused("invalid_request", "AADSTS90014: The required field 'scope' is missing from the credential.", 400)
        if call.path.split("/")[1] != TENANT:
            return _refused("invalid_request", "AADSTS90002: Tenant not found.", 400)
        if form.get("client_id") != CLIENT_ID:
            return _refused("unauthorized_client", f"AADSTS700016: Application with identifier '{form.get('client_id')}' was not found.", 400)
        if not self._proves(call, form):
            return _refused("invalid_client", "AADSTS7000215: Invalid client secret provided.", 401)
        token = f"eyJ0.{uuid4().hex}"
        self.tokens.add(token)
        return Reply(200, {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token})

    def _proves(self, call: Call, form: Mapping[str, str]) -> bool:
        if "client_assertion" not in form:
            return form.get("client_secret") in self.secrets
        import jwt

        try:
            audience = f"{self.url}{call.path}"
            claims = jwt.decode(form["client_assertion"], self.public_key, algorithms=["RS256"], audience=audience, options={"verify_exp": False})
        except jwt.PyJWTError:
            return False
        return bool(claims["iss"] == claims["sub"] == CLIENT_ID and claims.get("jti"))

    # ---- routes

    def _route(self, call: Call) -> Reply:
        if not call.path.startswith(f"{ROOT}/"):
            raise no_route(call.path)
        target, options = unquote(call.path.removeprefix(f"{ROOT}/")), _options(call.target)
        if target == "WhoAmI":
            return Reply(200, {"UserId": self.org.app, "BusinessUnitId": str(uuid4()), "OrganizationId": str(uuid4())})
        if target.startswith("EntityDefinitions"):
            return self.metadata.answer(call.method, target, options, call.body, self.base)
        if call.method == "POST" and target in _ACTIONS:
            return _ACTIONS[target](self, call.body)
        found = _TARGET.fullmatch(target)
        table = next((table for table in self.org.tables.values() if found and table.plural == found["set"]), None)
        if not found or not table:
            raise no_route(target)
        if found["action"]:
            return self._bound(table, found["key"], found["action"].rpartition(".")[2], call.body)
        return self._record(call, table, found["key"], options) if found["key"] is not None else self._set(call, table, options)

    def _set(self, call: Call, table: Table, options: Mapping[str, str]) -> Reply:
        prefer = call.headers.get("Prefer") or ""
        if call.method == "GET":
            return Reply(200, Reader(self.org, self.base).page(table, options, prefer))
        if call.method != "POST":
            raise DataverseError(405, "0x8006088a", "The method is not allowed.")
        row = self.org.create(table.name, self._values(table, call.body), self.org.app)
        return self._written(table, row, options, prefer, 201)

    def _record(self, call: Call, table: Table, key: str, options: Mapping[str, str]) -> Reply:
        row = self._find(table, key)
        if call.method == "PATCH":
            return self._upsert(call, table, key, row, options)
        if row is None:
            raise self._absent(table, key)
        if call.method == "DELETE":
            self.org.delete(table.name, row[table.key])
            return Reply(204)
        if call.method != "GET":
            raise DataverseError(405, "0x8006088a", "The method is not allowed.")
        return self._one(call, table, row, options)

    def _one(self, call: Call, table: Table, row: Row, options: Mapping[str, str]) -> Reply:
        if (call.headers.get("If-None-Match") or "null") == etag(row):
            return Reply(304)
        reader = Reader(self.org, self.base)
        reader._check_shape(table, options)
        shown = reader.show(table, row, options, call.headers.get("Prefer") or "")
        return Reply(200, {"@odata.context": f"{self.base}/$metadata#{table.plural}/$entity", **shown})

    def _upsert(self, call: Call, table: Table, key: str, row: Row | None, options: Mapping[str, str]) -> Reply:
        """If-Match: * only updates, If-None-Match: * only creates, a version must still be the row's."""
        match, none_match = call.headers.get("If-Match") or "", call.headers.get("If-None-Match") or ""
        if row is None and match:
            raise self._absent(table, key)
        if row is not None and none_match == "*":
            raise duplicate_key(table.name)
        if row is not None and match not in ("", "*", etag(row)):
            raise version_mismatch()
        named, values = self._key_values(table, key), self._values(table, call.body)
        if set(named) & set(values) and table.key not in named:
            raise DataverseError(400, "0x80048d19", "The body repeats an attribute of the alternate key.")
        if row is None:
            made = self.org.create(table.name, {**values, **named}, self.org.app)
            return self._written(table, made, options, call.headers.get("Prefer") or "", 201)
        changed = self.org.update(table.name, row[table.key], values, self.org.app)
        return self._written(table, changed, options, call.headers.get("Prefer") or "", 200)

    def _written(self, table: Table, row: Row, options: Mapping[str, str], prefer: str, status: int) -> Reply:
        headers = {"OData-EntityId": f"{self.base}/{table.plural}({row[table.key]})"}
        if "return=representation" not in prefer:
            return Reply(204, None, headers)
        return Reply(status, Reader(self.org, self.base).show(table, row, options, prefer), {**headers, "Preference-Applied": "return=representation"})

    # ---- which record

    def _find(self, table: Table, key: str) -> Row | None:
        named = self._key_values(table, key)
        if table.key in named:
            return self.org.records[table.name].get(named[table.key])
        rows = self.org.rows(table.name)
        return next((row for row in rows if all(str(row.get(name)).casefold() == str(value).casefold() for name, value in named.items())), None)

    def _key_values(self, table: Table, key: str) -> dict[str, Any]:
        if _GUID.fullmatch(key):
            return {table.key: key.lower()}
        pairs = re.findall(r"(\w+)=('(?:[^']|'')*'|[\w-]+)(?:,|$)", key)
        named = {name: value[1:-1].replace("''", "'") if value.startswith("'") else value for name, value in pairs}
        if not named or not any(set(named) == set(each.columns) and each.status == "Active" for each in table.keys):
            raise no_such_key(table.name)
        if any(BAD_IN_KEYS & set(value) for value in named.values()):
            raise bad_query("The value of an alternate key has characters that cannot be used in a request.")
        return named

    def _absent(self, table: Table, key: str) -> DataverseError:
        return DataverseError(404, "0x80040217", f"{table.name} With Id = {key} Does Not Exist") if _GUID.fullmatch(key) else no_record_with_key(table.name)

    # ---- what is written

    def _values(self, table: Table, body: Any) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise DataverseError(400, "0x80048d19", "Error identified in Payload provided by the user.")
        pairs = [self._pair(table, name, value) for name, value in body.items() if name not in ("@odata.type", "@odata.id")]
        return dict(pairs)

    def _pair(self, table: Table, name: str, value: Any) -> tuple[str, Any]:
        plain, _, annotation = name.partition("@")
        if annotation == "odata.bind":
            found = table.by_navigation(plain)
            if not found:
                raise DataverseError(400, "0x80048d19", f"An undeclared property '{plain}' which only has property annotations in the payload was found.")
            column, target = found
            named = [each for each, navigation in column.targets.items() if navigation == plain and str(value).startswith(f"/{self.org.tables[each].plural}(")]
            return column.name, ((named or [target])[0], self._bind((named or [target])[0], str(value)))
        if plain not in table.columns or table.columns[plain].property != plain:
            raise undeclared_property(plain, table.name)
        return plain, value

    def _bind(self, target: str, address: str) -> str:
        table = self.org.tables[target]
        found = _TARGET.fullmatch(unquote(re.sub(rf"^({re.escape(self.base)})?/", "", address)))
        if not found or found["set"] != table.plural or found["key"] is None:
            raise DataverseError(400, "0x80048d19", f"The URI '{address}' is not valid for a {target}.")
        row = self._find(table, found["key"])
        if row is None:
            raise self._absent(table, found["key"])
        return str(row[table.key])

    # ---- actions

    def _close(self, body: Mapping[str, Any]) -> Reply:
        case_id = self._bind("incident", body["IncidentResolution"]["incidentid@odata.bind"])
        self.org.close(case_id, int(body["Status"]), body["IncidentResolution"].get("subject", ""), self.org.app)
        return Reply(204)

    def _merge(self, body: Mapping[str, Any]) -> Reply:
        self.org.merge(body["Target"]["incidentid"], body["Subordinate"]["incidentid"], self.org.app)
        return Reply(204)

    def _bound(self, table: Table, key: str | None, action: str, body: Mapping[str, Any]) -> Reply:
        if table.name == "queue" and action == "AddToQueue" and key:
            return Reply(200, {"QueueItemId": self.org.to_queue(key.lower(), body["Target"]["incidentid"], self.org.app)})
        many = {"CreateMultiple": self._create_many, "UpdateMultiple": self._update_many, "UpsertMultiple": self._upsert_many}.get(action)
        if not many or key:
            raise no_route(action)
        with self.org.all_or_nothing():
            return many(table, body["Targets"])

    def _create_many(self, table: Table, targets: list[dict[str, Any]]) -> Reply:
        return Reply(200, {"Ids": [self.org.create(table.name, self._values(table, target), self.org.app)[table.key] for target in targets]})

    def _update_many(self, table: Table, targets: list[dict[str, Any]]) -> Reply:
        for target in targets:
            self.org.update(table.name, target[table.key], self._values(table, target), self.org.app)
        return Reply(204)

    def _upsert_many(self, table: Table, targets: list[dict[str, Any]]) -> Reply:
        for target in targets:
            found = _TARGET.fullmatch(target["@odata.id"])
            key = found["key"] if found else ""
            row, values = self._find(table, key), self._values(table, target)
            if row:
                self.org.update(table.name, row[table.key], values, self.org.app)
            else:
                self.org.create(table.name, {**values, **self._key_values(table, key)}, self.org.app)
        return Reply(204)


_ACTIONS: dict[str, Callable[[Simulator, Any], Reply]] = {"CloseIncident": Simulator._close, "Merge": Simulator._merge}


def _options(target: str) -> dict[str, str]:
    pairs = parse_qsl(urlsplit(target).query, keep_blank_values=True)
    for name, _ in pairs:
        if not name.startswith("$"):
            raise bad_query(f"The query parameter {name} is not supported.")
    return {name[1:]: value for name, value in pairs}


def _refused(error: str, description: str, status: int) -> Reply:
    return Reply(status, {"error": error, "error_description": description, "error_codes": [0], "trace_id": str(uuid4()), "correlation_id": str(uuid4())})


@contextmanager
def dynamics(clock: Callable[[], datetime] = now_utc) -> Iterator[Simulator]:
    simulator = Simulator(clock)
    with serving(simulator):
        yield simulator
