"""Zendesk's Support API: calls with a login that is renewed once, and the shapes of its answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from caseline.crm import Usage
from caseline.crm._http import Answer, HttpApi
from caseline.crm.zendesk._errors import error_of, is_not_found
from caseline.crm.zendesk._login import Login
from caseline.errors import CrmUnavailableError

Row = dict[str, Any]
BASE, MINUTE, PAGE = "/api/v2", 60.0, 100


class Api:
    """`usage` is the account's limit of a minute, as the last answer said."""

    def __init__(self, http: HttpApi, login: Login) -> None:
        self._http, self._login = http, login
        self.url, self.usage = http.base_url, None  # type: tuple[str, Usage | None]

    def call(self, method: str, path: str, *, fine: Iterable[int] = (200, 201, 204), headers: Mapping[str, str] | None = None, **request: Any) -> Answer:
        """Raises by Zendesk's error unless the status is one of `fine`."""
        login = self._login.header()
        answer = self._send(login, method, path, headers or {}, request)
        if answer.status == 401:
            answer = self._send(self._login.header(refused=login), method, path, headers or {}, request)
        if answer.status not in fine:
            raise error_of(answer)
        return answer

    def get(self, path: str, **params: Any) -> Row:
        return object_of(self.call("GET", path, params=params or None))

    def find(self, path: str, name: str) -> Row | None:
        """One record, None where there is none."""
        return self._one(self.call("GET", path, fine=(200, 404)), name)

    def put(self, path: str, name: str, values: Mapping[str, Any]) -> Row | None:
        """The record as it is then, None where there is none."""
        return self._one(self.call("PUT", path, body={name: values}, fine=(200, 404)), name)

    def post(self, path: str, name: str, values: Mapping[str, Any]) -> Row:
        return member(self.call("POST", path, body={name: values}), name)

    def all(self, path: str, name: str) -> list[Row]:
        """The whole of a list that an account has few of."""
        found, after = list[Row](), ""
        while True:
            body = self.get(path, **{"page[size]": PAGE, **({"page[after]": after} if after else {})})
            found, after = found + rows(body, name), next_cursor(body)
            if not after:
                return found

    def _one(self, answer: Answer, name: str) -> Row | None:
        if answer.status == 404:
            if not is_not_found(answer):
                raise error_of(answer)
            return None
        return member(answer, name)

    def _send(self, login: str, method: str, path: str, headers: Mapping[str, str], request: Mapping[str, Any]) -> Answer:
        answer = self._http.call(method, BASE + path, headers={"Authorization": login, **headers}, **request)
        self.usage = _usage(answer.headers) or self.usage
        return answer


def object_of(answer: Answer) -> Row:
    body = answer.json()
    if not isinstance(body, dict):
        raise _strange()
    return body


def member(answer: Answer, name: str) -> Row:
    found = object_of(answer).get(name)
    if not isinstance(found, dict) or not found.get("id"):
        raise _strange()
    return found


def rows(body: Mapping[str, Any], name: str) -> list[Row]:
    found = body.get(name)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise _strange()
    return found


def next_cursor(body: Mapping[str, Any]) -> str:
    """Of a list in pages; "" after the last."""
    meta = body.get("meta")
    return str(meta.get("after_cursor") or "") if isinstance(meta, Mapping) and meta.get("has_more") else ""


def text(row: Mapping[str, Any], name: str) -> str:
    """A value as text, "" for none; ids are numbers."""
    value = row.get(name)
    return "" if value is None else str(value)


def is_id(crm_id: str) -> bool:
    return crm_id.isascii() and crm_id.isdecimal() and len(crm_id) < 20


def _usage(headers: Mapping[str, str]) -> Usage | None:
    allowed, left = headers.get("X-Rate-Limit") or "", headers.get("X-Rate-Limit-Remaining") or ""
    return Usage(int(left), int(allowed), MINUTE) if allowed.isdecimal() and left.isdecimal() and int(allowed) else None


def _strange() -> CrmUnavailableError:
    return CrmUnavailableError("Zendesk answered another shape than its API has")
