"""The Dataverse Web API: calls with a token that is refreshed once, and batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from caseline.crm import Usage
from caseline.crm._batch import BOUNDARY, Item, read_batch, write_batch
from caseline.crm._http import Answer, HttpApi
from caseline.crm.dynamics._errors import error_of
from caseline.crm.dynamics._login import Login
from caseline.errors import CrmUnavailableError

# Protection limits of one user and web server; only what is left comes with an answer.
ALLOWED, WINDOW = 6_000, 300.0
LEFT = "x-ms-ratelimit-burst-remaining-xrm-requests"
ODATA = {"OData-MaxVersion": "4.0", "OData-Version": "4.0"}
FRESH = {"If-None-Match": "null"}  # no cached answer to a read
LABELS = {"Prefer": 'odata.include-annotations="*"'}
Row = dict[str, Any]


class Api:
    """`usage` is what the last answer said is left of the user's requests."""

    def __init__(self, http: HttpApi, login: Login, version: str) -> None:
        self._http, self._login, self.root = http, login, f"/api/data/v{version}"
        self.usage: Usage | None = None

    @property
    def base_url(self) -> str:
        return self._http.base_url

    def call(self, method: str, path: str, *, fine: Iterable[int] = (200, 201, 204), headers: Mapping[str, str] | None = None, **request: Any) -> Answer:
        """A call below the versioned root; raises by Dataverse's error code unless the status is one of `fine`."""
        token, headers = self._login.token(), {**ODATA, **(FRESH if method == "GET" else {}), **(headers or {})}
        answer = self._send(token, method, path, {**request, "headers": headers})
        if answer.status == 401:
            answer = self._send(self._login.token(refused=token), method, path, {**request, "headers": headers})
        if answer.status not in fine:
            raise error_of(answer)
        return answer

    def batch(self, items: Sequence[Item]) -> list[list[Answer]]:
        """The answers of each item, whatever their status: one failed item leaves the others alone."""
        headers = {"Content-Type": f"multipart/mixed; boundary={BOUNDARY}", "Prefer": "odata.continue-on-error"}
        answers = read_batch(self.call("POST", "/$batch", headers=headers, form=write_batch(items, self.root)))
        if len(answers) != len(items):
            raise CrmUnavailableError("Dynamics answered a batch in part")
        return answers

    def _send(self, token: str, method: str, path: str, request: Mapping[str, Any]) -> Answer:
        answer = self._http.call(method, self.root + path, **{**request, "headers": {**request["headers"], "Authorization": f"Bearer {token}"}})
        left = answer.headers.get(LEFT, "")
        if left.isdigit():
            self.usage = Usage(int(left), ALLOWED, WINDOW)
        return answer


def checked(answer: Answer, fine: Iterable[int] = (200, 201, 204)) -> Answer:
    if answer.status not in fine:
        raise error_of(answer)
    return answer


def row_of(answer: Answer) -> Row:
    body = checked(answer).json()
    if not isinstance(body, dict):
        raise CrmUnavailableError("Dynamics answered another shape than its API has")
    return body


def rows_of(answer: Answer) -> list[Row]:
    rows = row_of(answer).get("value")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CrmUnavailableError("Dynamics answered another shape than its API has")
    return rows


def label_of(row: Mapping[str, Any], column: str) -> Any:
    """What people see of a choice or a lookup; the value itself where there is no label."""
    return row.get(f"{column}@OData.Community.Display.V1.FormattedValue", row.get(column))
