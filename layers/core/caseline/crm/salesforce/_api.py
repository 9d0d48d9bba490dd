"""Salesforce's REST API: calls with a token that is refreshed once, queries, and several requests in one call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from caseline.crm import Usage
from caseline.crm._http import Answer, HttpApi
from caseline.crm.salesforce._errors import HALTED, code_of, error_from, error_of
from caseline.crm.salesforce._login import Login
from caseline.crm.salesforce._soql import in_url
from caseline.errors import CrmError, CrmUnavailableError

MAX_PAGES = 10
DAY = 86_400.0
# Change events carry it as their origin, so that our own writes are known.
CLIENT = {"Sforce-Call-Options": "client=caseline"}
_USAGE = re.compile(r"api-usage=(\d+)/(\d+)")
Record = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """One request of a composite call. `path` is below the versioned root; later parts refer to its answer as `@{name.id}`, in any text."""

    name: str
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None

    def to_json(self, root: str) -> dict[str, Any]:
        written = {"body": self.body, "httpHeaders": {**CLIENT, **(self.headers or {})}} if self.body is not None else {}
        return {"method": self.method, "referenceId": self.name, "url": root + self.path, **written}


def query_part(name: str, soql: str, deleted: bool = False) -> Part:
    return Part(name, "GET", f"/query{'All' if deleted else ''}?q={in_url(soql)}")


class Api:
    """`usage` is what is left of the org's calls of 24 hours, as its last answer said."""

    def __init__(self, http: HttpApi, login: Login, version: str) -> None:
        self._http, self._login, self._root = http, login, f"/services/data/v{version}"
        self.usage: Usage | None = None

    @property
    def user_id(self) -> str:
        """Who we are, "" before the first login."""
        return self._login.user_id

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
            page = read_object(self.call("GET", path, params=params))
            records += read_records(page)
            if page.get("done", True):
                return records
            path, params = str(page.get("nextRecordsUrl", "")).removeprefix(self._root), {}
        raise CrmUnavailableError("Salesforce answered more pages than expected")

    def search(self, sosl: str) -> list[Record]:
        return read_records(read_object(self.call("GET", "/search", params={"q": sosl})), "searchRecords")

    def compose(self, parts: Sequence[Part], whole: bool = False) -> Composed:
        """Up to 25 requests, 5 of them queries, in one call and in this order; `whole` undoes all if one fails."""
        # Without the second switch requests that do not refer to each other may run in another order.
        body = {"allOrNone": whole, "collateSubrequests": False, "compositeRequest": [part.to_json(self._root) for part in parts]}
        answer = self.call("POST", "/composite", body=body)
        outcome = read_object(answer).get("compositeResponse")
        found = {str(part.get("referenceId")): part for part in outcome if isinstance(part, Mapping)} if isinstance(outcome, list) else {}
        if set(found) != {part.name for part in parts}:
            raise CrmUnavailableError("Salesforce answered a composite call in part")
        return Composed(answer, found)

    def _send(self, token: str, method: str, path: str, request: Mapping[str, Any]) -> Answer:
        headers = {**CLIENT, **request.get("headers", {}), "Authorization": f"Bearer {token}"}
        answer = self._http.call(method, self._root + path, **{**request, "headers": headers})
        if found := _USAGE.search(answer.headers.get("Sforce-Limit-Info", "")):
            self.usage = Usage(max(0, int(found[2]) - int(found[1])), int(found[2]), DAY)
        return answer


@dataclass(frozen=True)
class Composed:
    """The answers of a composite call, by name."""

    answer: Answer
    parts: Mapping[str, Mapping[str, Any]]

    def check(self, *names: str) -> Composed:
        """Raise what went wrong in these parts, or in any: the cause, not that others were halted by it."""
        errors = [error for name in names or self.parts if (error := self.error(name))]
        causes = [error for error in errors if HALTED not in str(error)]
        if errors:
            raise (causes or errors)[0]
        return self

    def error(self, name: str) -> CrmError | None:
        status, body = self.parts[name].get("httpStatusCode"), self.parts[name].get("body")
        if isinstance(status, int) and status in (200, 201, 204):
            # A collection answers 200, and each of its records for itself.
            failed = [row.get("errors") for row in body if isinstance(row, Mapping) and not row.get("success")] if isinstance(body, list) else []
            return error_from(self.answer, 400, failed[0]) if failed else None
        return error_from(self.answer, status if isinstance(status, int) else 500, body)

    def is_halted(self, name: str) -> bool:
        """It was not done, because what it refers to is not there."""
        return code_of(self.parts[name].get("body")) == HALTED

    def body(self, name: str) -> Any:
        return self.parts[name].get("body")

    def records(self, name: str) -> list[Record]:
        self.check(name)
        return read_records(self.body(name))


def read_object(answer: Answer) -> Mapping[str, Any]:
    body = answer.json()
    if not isinstance(body, Mapping):
        raise CrmUnavailableError("Salesforce answered another shape than its API has")
    return body


def read_records(body: Any, name: str = "records") -> list[Record]:
    records = body.get(name) if isinstance(body, Mapping) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise CrmUnavailableError("Salesforce answered another shape than its API has")
    return records
