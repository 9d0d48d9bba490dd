"""HubSpot's CRM API: records by id or unique property, searches, batches; a token that is refreshed once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from caseline.crm import Usage
from caseline.crm._http import Answer, HttpApi
from caseline.crm.hubspot._errors import NOT_FOUND, error_of, is_not_found
from caseline.crm.hubspot._login import Login
from caseline.crm.hubspot._settings import Settings
from caseline.errors import CrmUnavailableError

Record = dict[str, Any]
Filter = dict[str, Any]
BATCH, HISTORY_BATCH, SEARCH_PAGE = 100, 50, 100
DAY = 86_400.0
SHAPE = "HubSpot answered another shape than its API has"
_PORTAL = re.compile(r"/contacts/(\d+)/")


class Api:
    """`usage` is the tighter of HubSpot's two windows, as its last answer said; `portal_id` is learnt from the addresses of records."""

    def __init__(self, http: HttpApi, login: Login, settings: Settings) -> None:
        self._http, self._login, self._objects, self._associations = http, login, settings.objects_path, settings.associations_path
        self.usage: Usage | None = None
        self.portal_id = ""

    def call(self, method: str, path: str, *, fine: Iterable[int] = (200, 201, 204), kind: str = "", **request: Any) -> Answer:
        """Raises by HubSpot's error unless the status is one of `fine`; `kind` is the objects that it is about."""
        token = self._login.token()
        answer = self._send(token, method, path, request)
        if answer.status == 401:
            answer = self._send(self._login.token(refused=token), method, path, request)
        if answer.status not in fine:
            raise error_of(answer, kind)
        return answer

    def get(self, path: str, **params: Any) -> Mapping[str, Any]:
        return _object(self.call("GET", path, params=params or None))

    def post(self, path: str, body: Any, kind: str = "", fine: Iterable[int] = (200, 201)) -> Mapping[str, Any]:
        return _object(self.call("POST", path, body=body, kind=kind, fine=fine))

    def read(self, kind: str, record_id: str, properties: Iterable[str], *, by: str = "", associations: str = "", history: Iterable[str] = ()) -> Record | None:
        """A record by its id or by a unique property; reads what was written last. None where there is none."""
        asked = {"properties": ",".join(properties), "propertiesWithHistory": ",".join(history), "associations": associations, "idProperty": by}
        params = {name: value for name, value in asked.items() if value}
        answer = self.call("GET", self._path(kind, record_id), params=params, fine=(200, 404), kind=kind)
        if answer.status == 404:
            if not is_not_found(answer):
                raise error_of(answer)
            return None
        return self._record(answer.json())

    def read_many(self, kind: str, ids: Sequence[str], properties: Iterable[str], history: Iterable[str] = ()) -> list[Record]:
        """Those that are there; one call for each hundred, or fifty with history."""
        asked, size = {"properties": list(properties), "propertiesWithHistory": list(history)}, HISTORY_BATCH if history else BATCH
        found: list[Record] = []
        for start in range(0, len(ids), size):
            body = {"inputs": [{"id": record_id} for record_id in ids[start : start + size]], **asked}
            found += self._records(self._read_batch(self._path(kind, "batch", "read"), body, kind))
        return found

    def create(self, kind: str, properties: Mapping[str, str], associations: Sequence[Mapping[str, Any]] = ()) -> Record:
        return self._record(self.post(self._path(kind), {"properties": properties, "associations": list(associations)}, kind))

    def create_many(self, kind: str, inputs: Sequence[Mapping[str, Any]]) -> None:
        """All, or CrmUnavailableError where HubSpot made only some."""
        for start in range(0, len(inputs), BATCH):
            answer = self.post(self._path(kind, "batch", "create"), {"inputs": list(inputs[start : start + BATCH])}, kind, fine=(200, 201, 207))
            if answer.get("errors"):
                raise CrmUnavailableError("HubSpot made a batch in part")

    def archive_many(self, kind: str, ids: Sequence[str]) -> None:
        """Those that are there; done already is success."""
        for start in range(0, len(ids), BATCH):
            body = {"inputs": [{"id": record_id} for record_id in ids[start : start + BATCH]]}
            self.call("POST", self._path(kind, "batch", "archive"), body=body, kind=kind, fine=(200, 204))

    def update(self, kind: str, record_id: str, properties: Mapping[str, str]) -> Record | None:
        """None where the record is gone."""
        answer = self.call("PATCH", self._path(kind, record_id), body={"properties": properties}, fine=(200, 404), kind=kind)
        if answer.status == 404:
            if not is_not_found(answer):
                raise error_of(answer)
            return None
        return self._record(answer.json())

    def search(self, kind: str, groups: Sequence[Sequence[Filter]], properties: Iterable[str], *, sort: str = "", limit: int = SEARCH_PAGE) -> list[Record]:
        """The first `limit` that match any group of filters. Shows writes only after some seconds."""
        body = {
            "filterGroups": [{"filters": list(filters)} for filters in groups], "properties": list(properties),
            "sorts": [sort] if sort else [], "limit": limit, "after": "0",
        }  # fmt: skip
        return self._records(self.post(self._path(kind, "search"), body, kind))

    def associated(self, kind: str, to: str, ids: Sequence[str]) -> dict[str, str]:
        """For each record the first of the other kind that it is associated with."""
        if not ids:
            return {}
        body = {"inputs": [{"id": record_id} for record_id in ids]}
        answer = self._read_batch(f"{self._associations}/{kind}/{to}/batch/read", body)
        pairs = [(row.get("from"), row.get("to")) for row in answer.get("results", ()) if isinstance(row, Mapping)]
        return {str(one["id"]): str(others[0]["toObjectId"]) for one, others in pairs if isinstance(one, Mapping) and others}

    def _read_batch(self, path: str, body: Any, kind: str = "") -> Mapping[str, Any]:
        """What is not there is left out; CrmUnavailableError where HubSpot read only some of the rest."""
        answer = self.post(path, body, kind, fine=(200, 207))
        if not all(isinstance(error, Mapping) and error.get("category") in NOT_FOUND for error in answer.get("errors") or ()):
            raise CrmUnavailableError("HubSpot read a batch in part")
        return answer

    def _records(self, body: Mapping[str, Any]) -> list[Record]:
        rows = body.get("results")
        if not isinstance(rows, list):
            raise CrmUnavailableError(SHAPE)
        return [self._record(row) for row in rows]

    def _record(self, body: Any) -> Record:
        if not isinstance(body, dict) or not isinstance(body.get("properties"), dict) or not body.get("id"):
            raise CrmUnavailableError(SHAPE)
        if not self.portal_id and (found := _PORTAL.search(str(body.get("url") or ""))):
            self.portal_id = found[1]
        return {**body, "id": str(body["id"])}

    def _path(self, *parts: str) -> str:
        return "/".join([self._objects, *(quote(part, safe="", errors="replace") for part in parts)])

    def _send(self, token: str, method: str, path: str, request: Mapping[str, Any]) -> Answer:
        answer = self._http.call(method, path, headers={"Authorization": f"Bearer {token}"}, **request)
        self.usage = _usage(answer.headers) or self.usage
        return answer


def equals(name: str, value: str) -> Filter:
    return {"propertyName": name, "operator": "EQ", "value": value}


def one_of(name: str, values: Iterable[str]) -> Filter:
    return {"propertyName": name, "operator": "IN", "values": list(values)}


def compare(name: str, operator: str, value: str) -> Filter:
    return {"propertyName": name, "operator": operator, "value": value}


def exists(name: str) -> Filter:
    return {"propertyName": name, "operator": "HAS_PROPERTY"}


def associate(to: str, type_id: int) -> dict[str, Any]:
    return {"to": {"id": to}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}]}


def text_of(record: Mapping[str, Any], name: str) -> str:
    """A property's value; HubSpot sends null for what is not set."""
    return str((record.get("properties") or {}).get(name) or "") if name else ""


def _usage(headers: Mapping[str, str]) -> Usage | None:
    """OAuth apps are told of the short window only, searches of none."""
    windows = [
        ("X-HubSpot-RateLimit-Daily-Remaining", "X-HubSpot-RateLimit-Daily", DAY),
        ("X-HubSpot-RateLimit-Remaining", "X-HubSpot-RateLimit-Max", _number(headers, "X-HubSpot-RateLimit-Interval-Milliseconds", 10_000) / 1_000),
    ]
    found = [Usage(_number(headers, left), _number(headers, most), window) for left, most, window in windows if _number(headers, most) > 0]
    return min(found, key=lambda usage: usage.remaining / usage.allowed, default=None)


def _number(headers: Mapping[str, str], name: str, default: int = 0) -> int:
    text = headers.get(name) or ""
    return int(text) if text.isdecimal() else default


def _object(answer: Answer) -> Mapping[str, Any]:
    body = answer.json()
    if not isinstance(body, Mapping):
        raise CrmUnavailableError(SHAPE)
    return body
