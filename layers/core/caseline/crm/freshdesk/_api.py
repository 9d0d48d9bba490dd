"""Freshdesk's API: calls with an agent's key, and the shapes of its answers, which have the record at the top."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from caseline.crm import Usage
from caseline.crm._http import Answer, HttpApi
from caseline.crm._tokens import secret_texts
from caseline.crm.freshdesk._errors import error_of, is_not_found
from caseline.errors import CrmUnavailableError

Row = dict[str, Any]
BASE, PAGE = "/api/v2", 100


class Api:
    """`usage` is what is left of the account's limit, as the last answer said. A key that is refused is refused for good."""

    def __init__(self, http: HttpApi, secret: Mapping[str, Any], window: float) -> None:
        key = secret_texts(secret, "freshdesk", ("api_key",))["api_key"]
        self._http, self._window, self._login = http, window, "Basic " + b64encode(f"{key}:X".encode()).decode()
        self.url, self.usage = http.base_url, None  # type: tuple[str, Usage | None]

    def call(self, method: str, path: str, kind: str = "", *, fine: Iterable[int] = (200, 201, 204), **request: Any) -> Answer:
        """Raises by Freshdesk's error unless the status is one of `fine`; `kind` is what it is about."""
        answer = self._http.call(method, BASE + path, headers={"Authorization": self._login}, **request)
        self.usage = _usage(answer.headers, self._window) or self.usage
        if answer.status not in fine:
            raise error_of(answer, kind)
        return answer

    def rows(self, path: str, **params: Any) -> list[Row]:
        return _rows(self.call("GET", path, params=params or None).json())

    def search(self, path: str, query: str) -> list[Row]:
        """The first thirty; shows what was written some minutes ago."""
        body = self.call("GET", path, params={"query": f'"{query}"'}).json()
        return _rows(body.get("results") if isinstance(body, Mapping) else None)

    def find(self, path: str, **params: Any) -> Row | None:
        """One record, None where there is none."""
        return self._one(self.call("GET", path, fine=(200, 404), params=params or None))

    def put(self, path: str, kind: str, values: Mapping[str, Any]) -> Row | None:
        """The record as it is then, None where there is none."""
        return self._one(self.call("PUT", path, kind, body=values, fine=(200, 404)))

    def delete(self, path: str) -> None:
        """Also where it is gone already."""
        answer = self.call("DELETE", path, fine=(204, 404))
        if answer.status == 404 and not is_not_found(answer):
            raise error_of(answer)

    def post(self, path: str, kind: str, values: Mapping[str, Any]) -> Row:
        return row_of(self.call("POST", path, kind, body=values))

    def _one(self, answer: Answer) -> Row | None:
        if answer.status == 404:
            if not is_not_found(answer):
                raise error_of(answer)
            return None
        return row_of(answer)


def text(row: Mapping[str, Any], name: str) -> str:
    """A value as text, "" for none; ids are numbers."""
    value = row.get(name)
    return "" if value is None else str(value)


def custom(row: Mapping[str, Any], name: str) -> Any:
    values = row.get("custom_fields")
    return values.get(name) if isinstance(values, Mapping) and name else None


def is_id(crm_id: str) -> bool:
    return crm_id.isascii() and crm_id.isdecimal() and len(crm_id) < 20


def row_of(answer: Answer) -> Row:
    body = answer.json()
    if not isinstance(body, dict) or not body.get("id"):
        raise CrmUnavailableError("Freshdesk answered another shape than its API has")
    return body


def _rows(found: Any) -> list[Row]:
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise CrmUnavailableError("Freshdesk answered another shape than its API has")
    return found


def _usage(headers: Mapping[str, str], window: float) -> Usage | None:
    allowed, left = headers.get("X-RateLimit-Total") or "", headers.get("X-RateLimit-Remaining") or ""
    return Usage(int(left), int(allowed), window) if allowed.isdecimal() and left.isdecimal() and int(allowed) else None
