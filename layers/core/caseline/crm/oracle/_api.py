"""Fusion's REST API: records of resources, several requests in one call (all or none), a login that is renewed once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from caseline.crm import Usage
from caseline.crm._http import Answer, HttpApi
from caseline.crm._optional import OptionalFields
from caseline.crm.oracle._errors import Fields, error_of
from caseline.crm.oracle._login import Login
from caseline.crm.oracle._settings import Settings
from caseline.errors import CrmUnavailableError

Row = dict[str, Any]
ITEM, BATCH = "application/vnd.oracle.adf.resourceitem+json", "application/vnd.oracle.adf.batch+json"


@dataclass(frozen=True)
class Part:
    """One request of a batch. `operation` is get, create, update or delete, `path` below the versioned root."""

    operation: str
    path: str
    payload: Mapping[str, Any] | None = None

    def to_json(self, number: int) -> dict[str, Any]:
        return {"id": str(number), "path": self.path, "operation": self.operation, **({"payload": self.payload} if self.payload is not None else {})}


class Api:
    usage: Usage | None = None  # Fusion does not say what is left

    def __init__(self, http: HttpApi, login: Login, settings: Settings, optional: OptionalFields) -> None:
        self._http, self._login, self._optional, self.base_url = http, login, optional, http.base_url
        self._root, self._version = settings.base_path.rstrip("/"), settings.framework_version

    def call(
        self, method: str, path: str, body: Any = None, own: Fields | None = None, fine: Iterable[int] = (200, 201), content_type: str = ITEM,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """Raises by Fusion's error unless the status is one of `fine`; `own` are the fields of ours that it names, by resource."""
        header = self._login.header()
        sent = {"REST-Framework-Version": self._version, "Content-Type": content_type, **(headers or {})}
        data = json.dumps(body, allow_nan=False).encode() if body is not None else None
        answer = self._http.call(method, self._root + path, headers={**sent, "Authorization": header}, form=data)
        if answer.status == 401 and not self._login.is_basic:
            again = self._login.header(refused=header)
            answer = self._http.call(method, self._root + path, headers={**sent, "Authorization": again}, form=data)
        if answer.status not in fine:
            raise error_of(answer, own, frozenset(self._optional.missing))
        return answer

    def rows(self, path: str, own: Fields | None = None) -> list[Row]:
        return rows_of(self.call("GET", path, own=own).json())

    def batch(self, parts: Sequence[Part], own: Fields | None = None) -> list[Any]:
        """What each part answered, in order; all or none of them are done."""
        body = self.call("POST", "", {"parts": [part.to_json(number) for number, part in enumerate(parts)]}, own, content_type=BATCH).json()
        served = body.get("parts") if isinstance(body, Mapping) else None
        found = {str(part.get("id")): part.get("payload") for part in served if isinstance(part, Mapping)} if isinstance(served, list) else {}
        if any(str(number) not in found for number in range(len(parts))):
            raise CrmUnavailableError("Oracle answered a batch in part")
        return [found[str(number)] for number in range(len(parts))]


def list_path(resource: str, condition: str, fields: Iterable[str], limit: int, order: str = "", children: Mapping[str, Sequence[str]] | None = None) -> str:
    """A page of a resource's records; of `children` these fields come with each (and no `expand`, which goes with no `fields`)."""
    named = [",".join(dict.fromkeys(filter(None, fields))), *(f"{child}:{','.join(names)}" for child, names in (children or {}).items())]
    params = {"q": condition, "fields": ";".join(named), "onlyData": "true", "limit": str(limit), "orderBy": order}
    return f"/{resource}?" + urlencode({name: value for name, value in params.items() if value}, errors="replace")


def item_path(resource: str, key: str) -> str:
    return f"/{resource}/{quote(key, safe='', errors='replace')}"


def rows_of(body: Any) -> list[Row]:
    found = body.get("items") if isinstance(body, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise CrmUnavailableError("Oracle answered without a list of records")
    return found


def row_of(body: Any) -> Row:
    if not isinstance(body, dict):
        raise CrmUnavailableError("Oracle answered without a record")
    return body
