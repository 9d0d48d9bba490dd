"""ServiceNow's REST API: records of tables, several requests in one call, a login that is renewed once."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from caseline.crm import Usage
from caseline.crm._http import Answer, HttpApi
from caseline.crm.servicenow._errors import error_of
from caseline.crm.servicenow._login import Login
from caseline.errors import CrmUnavailableError

Row = dict[str, Any]
BATCH = "/api/now/v1/batch"
HOUR = 3_600.0
_JSON = [{"name": "Content-Type", "value": "application/json"}, {"name": "Accept", "value": "application/json"}]


@dataclass(frozen=True)
class Part:
    """One request of a batch; `table` is what it is about."""

    method: str
    path: str
    table: str
    body: Mapping[str, Any] | None = None

    def to_json(self, number: int) -> dict[str, Any]:
        sent = {"body": base64.b64encode(json.dumps(self.body).encode()).decode()} if self.body is not None else {}
        return {"id": str(number), "method": self.method, "url": self.path, "headers": _JSON, "exclude_response_headers": True, **sent}


class Api:
    """`usage` is known only while a rate limit refuses us: ServiceNow does not say how much is left of one."""

    def __init__(self, http: HttpApi, login: Login, clock: Callable[[], datetime]) -> None:
        self._http, self._login, self._clock, self.base_url = http, login, clock, http.base_url
        self.usage: Usage | None = None

    def call(self, method: str, path: str, table: str = "", body: Any = None, fine: Iterable[int] = (200, 201)) -> Answer:
        """Raises by ServiceNow's error unless the status is one of `fine`."""
        header = self._login.header()
        answer = self._send(method, path, header, body)
        if answer.status == 401 and not self._login.is_basic:
            answer = self._send(method, path, self._login.header(refused=header), body)
        if answer.status not in fine:
            raise error_of(answer, table)
        return answer

    def batch(self, parts: Sequence[Part]) -> list[Answer]:
        """In order, one call; the answers are as each request alone would have had them."""
        body = {"batch_request_id": "1", "enforce_order": True, "rest_requests": [part.to_json(number) for number, part in enumerate(parts)]}
        served = _listed(self.call("POST", BATCH, body=body).json(), "serviced_requests")
        found = {str(each.get("id")): each for each in served if isinstance(each, Mapping)}
        if any(str(number) not in found for number in range(len(parts))):
            raise CrmUnavailableError("ServiceNow served a batch in part")
        return [_unpack(found[str(number)]) for number in range(len(parts))]

    def _send(self, method: str, path: str, header: str, body: Any) -> Answer:
        answer = self._http.call(method, path, headers={"Authorization": header}, body=body)
        self._watch(answer)
        return answer

    def _watch(self, answer: Answer) -> None:
        limit, reset = answer.headers.get("X-RateLimit-Limit", ""), answer.headers.get("X-RateLimit-Reset", "")
        if answer.status != 429 or not (limit.isdecimal() and reset.isdecimal()):
            self.usage = None
            return
        self.usage = Usage(0, int(limit), min(max(int(reset) - self._clock().timestamp(), 1.0), HOUR))


def table_path(table: str, sys_id: str = "", **params: str) -> str:
    """`fields`, `query`, `limit` and so on, as ServiceNow's sysparm_ parameters. References come as plain ids."""
    asked = {"exclude_reference_link": "true", **params}
    query = urlencode({f"sysparm_{name}": value for name, value in asked.items()}, errors="replace")
    return f"/api/now/table/{table}{f'/{sys_id}' if sys_id else ''}?{query}"


def list_part(table: str, query: str, fields: Iterable[str], limit: int, **params: str) -> Part:
    names = ",".join(dict.fromkeys(filter(None, fields)))
    return Part("GET", table_path(table, query=query, fields=names, limit=str(limit), suppress_pagination_header="true", **params), table)


def count_part(table: str, query: str) -> Part:
    """By account."""
    path = f"/api/now/stats/{table}?" + urlencode({"sysparm_query": query, "sysparm_count": "true", "sysparm_group_by": "account"})
    return Part("GET", path, table)


def checked(answer: Answer, table: str = "") -> Answer:
    if answer.status not in (200, 201):
        raise error_of(answer, table)
    return answer


def rows_of(answer: Answer) -> list[Row]:
    found = _listed(answer.json(), "result")
    if not all(isinstance(row, dict) for row in found):
        raise CrmUnavailableError("ServiceNow answered rows that are none")
    return found


def row_of(answer: Answer) -> Row:
    body = answer.json()
    row = body.get("result") if isinstance(body, Mapping) else None
    if not isinstance(row, dict):
        raise CrmUnavailableError("ServiceNow answered without a record")
    return row


def _listed(body: Any, name: str) -> list[Any]:
    found = body.get(name) if isinstance(body, Mapping) else None
    if not isinstance(found, list):
        raise CrmUnavailableError("ServiceNow answered without a list")
    return found


def _unpack(each: Mapping[str, Any]) -> Answer:
    try:
        return Answer("ServiceNow", int(each["status_code"]), {}, base64.b64decode(each.get("body") or ""))
    except (KeyError, TypeError, ValueError):
        raise CrmUnavailableError("ServiceNow served a request of a batch in no readable way") from None
