"""Salesforce's REST API: calls with a token that is refreshed once, queries, and several queries in one call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote_plus

from caseline.crm._http import Answer, HttpApi
from caseline.crm.salesforce._errors import error_from, error_of
from caseline.crm.salesforce._login import Login
from caseline.errors import CrmUnavailableError

MAX_PAGES = 10
_USAGE = re.compile(r"api-usage=(\d+)/(\d+)")
Record = dict[str, Any]


class Api:
    """`usage` is (calls made, calls allowed) of the org's last 24 hours, as its last answer said."""

    def __init__(self, http: HttpApi, login: Login, version: str) -> None:
        self._http, self._login, self._root = http, login, f"/services/data/v{version}"
        self.usage: tuple[int, int] | None = None

    def call(self, method: str, path: str, *, fine: Iterable[int] = (200, 201, 204), **request: Any) -> Answer:
        """A call below the versioned root; raises by Salesforce's error code unless the status is one of `fine`."""
        token = self._login.token()
        answer = self._send(token, method, path, request)
        if answer.status == 401:
            answer = self._send(self._login.token(refused=token), method, path, request)
        if answer.status not in fine:
            raise error_of(answer)
        return answer

    def query(self, soql: str) -> list[Record]:
        """All records, page by page."""
        path, params, records = "/query", {"q": soql}, []
        for _ in range(MAX_PAGES):
            page = _object(self.call("GET", path, params=params))
            records += _records(page)
            if page.get("done", True):
                return records
            path, params = str(page.get("nextRecordsUrl", "")).removeprefix(self._root), {}
        raise CrmUnavailableError("Salesforce answered more pages than expected")

    def query_all(self, queries: Mapping[str, str]) -> dict[str, list[Record]]:
        """Up to five queries in one call, by name."""
        if not queries:
            return {}
        parts = [{"method": "GET", "referenceId": name, "url": f"{self._root}/query?q={quote_plus(soql)}"} for name, soql in queries.items()]
        answer = self.call("POST", "/composite", body={"allOrNone": False, "compositeRequest": parts})
        outcome = _object(answer).get("compositeResponse")
        if not isinstance(outcome, list) or {part.get("referenceId") for part in outcome if isinstance(part, Mapping)} != set(queries):
            raise CrmUnavailableError("Salesforce answered a composite call in part")
        return {part["referenceId"]: _part(answer, part) for part in outcome}

    def search(self, sosl: str) -> list[Record]:
        return _records(_object(self.call("GET", "/search", params={"q": sosl})), "searchRecords")

    def _send(self, token: str, method: str, path: str, request: Mapping[str, Any]) -> Answer:
        headers = {**request.get("headers", {}), "Authorization": f"Bearer {token}"}
        answer = self._http.call(method, self._root + path, **{**request, "headers": headers})
        if found := _USAGE.search(answer.headers.get("Sforce-Limit-Info", "")):
            self.usage = int(found[1]), int(found[2])
        return answer


def _part(answer: Answer, part: Mapping[str, Any]) -> list[Record]:
    status, body = part.get("httpStatusCode"), part.get("body")
    if status != 200:
        raise error_from(answer, status if isinstance(status, int) else 500, body)
    return _records(body)


def _object(answer: Answer) -> Mapping[str, Any]:
    body = answer.json()
    if not isinstance(body, Mapping):
        raise CrmUnavailableError("Salesforce answered another shape than its API has")
    return body


def _records(body: Any, name: str = "records") -> list[Record]:
    records = body.get(name) if isinstance(body, Mapping) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise CrmUnavailableError("Salesforce answered another shape than its API has")
    return records
