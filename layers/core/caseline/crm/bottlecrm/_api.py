"""BottleCRM's API: JSON in, JSON out, a token that does not run out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from caseline.crm import Usage
from caseline.crm._http import Answer, HttpApi
from caseline.crm.bottlecrm._errors import error_of, is_not_found
from caseline.errors import CrmUnavailableError

Row = Mapping[str, Any]
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


class Api:
    def __init__(self, http: HttpApi, token: str) -> None:
        self._http, self._headers, self.base_url = http, {"Authorization": f"Bearer {token}"}, http.base_url

    @property
    def usage(self) -> Usage | None:
        """It counts no calls."""
        return None

    def call(self, method: str, path: str, *, fine: Iterable[int] = (200, 201), params: Any = None, body: Any = None) -> Answer:
        answer = self._http.call(method, f"/api/{path}/", headers=self._headers, params=params, body=body)
        if answer.status not in fine:
            raise error_of(answer)
        return answer

    def get(self, path: str, **params: Any) -> Row:
        return _object(self.call("GET", path, params=params or None))

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> Row:
        return _object(self.call(method, path, body=body))

    def find(self, path: str, **params: Any) -> Row | None:
        """None where BottleCRM has no such record."""
        return self._or_none(self.call("GET", path, fine=(200, 404), params=params or None))

    def change(self, method: str, path: str, body: Mapping[str, Any]) -> Row | None:
        """None where the record is gone."""
        return self._or_none(self.call(method, path, fine=(200, 404), body=body))

    def _or_none(self, answer: Answer) -> Row | None:
        if answer.status == 404:
            if not is_not_found(answer):
                raise error_of(answer)
            return None
        return _object(answer)


def is_id(text: str) -> bool:
    return bool(_ID.match(text))


def text_of(row: Row, name: str) -> str:
    """A value as text; null for what is not set."""
    value = row.get(name)
    return "" if value is None else str(value)


def custom_of(row: Row) -> Row:
    return object_in(row, "custom_fields")


def object_in(row: Row, name: str) -> Row:
    value = row.get(name)
    return value if isinstance(value, Mapping) else {}


def rows_in(row: Row, name: str) -> list[Row]:
    """CrmUnavailableError where there is no list: then it was not BottleCRM that answered."""
    rows = row.get(name)
    if not isinstance(rows, list):
        raise CrmUnavailableError("BottleCRM answered another shape than its API has")
    return [each for each in rows if isinstance(each, Mapping)]


def _object(answer: Answer) -> Row:
    body = answer.json()
    if not isinstance(body, Mapping):
        raise CrmUnavailableError("BottleCRM answered another shape than its API has")
    return body
