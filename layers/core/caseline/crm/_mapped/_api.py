"""Requests of a mapping, made: login renewed once, errors by class, pages followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests

from caseline.crm import Usage
from caseline.crm._http import Answer, HttpApi
from caseline.crm._mapped._errors import error_of
from caseline.crm._mapped._login import Login
from caseline.crm._mapped._mapping import Mapped, Paging, Request
from caseline.crm._mapped._template import Path, Values
from caseline.errors import CrmUnavailableError, PayloadError

MAX_PAGES = 50
Row = dict[str, Any]
Params = dict[str, Any]


class Api:
    """`usage` is as the last answer's headers said, where the mapping names them."""

    def __init__(self, http: HttpApi, login: Login, mapped: Mapped, crm: str, prefix: str) -> None:
        self._http, self._login, self._mapped, self._crm, self._prefix = http, login, mapped, crm, prefix
        self.url, self.usage = http.base_url, None  # type: tuple[str, Usage | None]

    def row(self, request: Request, values: Values) -> Row | None:
        """The one record of an answer, None where it has none; CrmNotFoundError where the CRM says so."""
        answer = self._made(request, values)
        found = self._read(request.row, answer) if answer.content.strip() else None
        return found if isinstance(found, dict) else None

    def rows(self, request: Request, values: Values) -> list[Row]:
        """Of all pages."""
        found, state = list[Row](), ""
        for _ in range(MAX_PAGES):
            page, state = self.page(request, values, state)
            found += page
            if not state:
                break
        return found

    def page(self, request: Request, values: Values, state: str = "") -> tuple[list[Row], str]:
        """One page, and where the next begins, "" after the last."""
        answer = self._made(request, values, state)
        rows = self._read(request.rows, answer)
        if rows is None:
            rows = []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self.strange()
        return rows, self._next(request.paging, answer, rows, state) if request.paging else ""

    def strange(self) -> CrmUnavailableError:
        return CrmUnavailableError(f"{self._crm} answered another shape than its mapping has")

    def _made(self, request: Request, values: Values, state: str = "") -> Answer:
        path, params = self._prefix + Path(request.path).fill(values), _filled(request.query, values)
        if request.paging:
            path, params = self._turned(request.paging, path, params, state)
        form, body = (_filled(request.form, values) or None), (request.body.fill(values) if request.body else None)
        sent: dict[str, Any] = {"params": params or None, **({"body": body} if body is not None else {"form": form} if form else {})}
        headers = self._login.headers()
        answer = self._send(headers, request.method, path, sent)
        if answer.status == 401 and self._login.is_renewable:
            answer = self._send(self._login.headers(refused=headers), request.method, path, sent)
        if not 200 <= answer.status < 300:
            raise error_of(answer, self._mapped.errors)
        return answer

    def _send(self, login: Mapping[str, str], method: str, path: str, sent: Mapping[str, Any]) -> Answer:
        answer = self._http.call(method, path, headers={**self._mapped.headers, **login}, **sent)
        self.usage = self._usage(answer.headers) or self.usage
        return answer

    def _read(self, expression: Any, answer: Answer) -> Any:
        try:
            return expression.value(answer.json())
        except PayloadError:
            raise self.strange() from None

    # Pages.
    def _turned(self, paging: Paging, path: str, params: Params, state: str) -> tuple[str, Params]:
        if paging.kind == "link":
            return (state, {}) if state else (path, params)
        first = {"page": "1", "offset": "0"}.get(paging.kind, "")
        return path, {**params, **({paging.parameter: state or first} if state or first else {})}

    def _next(self, paging: Paging, answer: Answer, rows: Sequence[Row], state: str) -> str:
        if paging.kind == "cursor":
            token = self._read(paging.next, answer)
            return str(token) if isinstance(token, str | int) and not isinstance(token, bool) and str(token) != state else ""
        if paging.kind == "link":
            return self._linked(answer.headers.get("Link") or "")
        if not rows or (paging.size and len(rows) < paging.size):
            return ""
        if paging.kind == "after":
            return str(rows[-1].get(paging.next.text if paging.next else "id") or "")
        return str(int(state or (1 if paging.kind == "page" else 0)) + (1 if paging.kind == "page" else len(rows)))

    def _linked(self, header: str) -> str:
        """The path of the next page, on this host and under the same prefix."""
        links = requests.utils.parse_header_links(header) if header else []
        place = urlsplit(next((str(link["url"]) for link in links if link.get("rel") == "next"), ""))
        if not place.path:
            return ""
        if (place.netloc and place.netloc != urlsplit(self.url).netloc) or not place.path.startswith(f"{self._prefix}/"):
            raise CrmUnavailableError(f"{self._crm} named an address outside its host")
        return f"{place.path}?{place.query}"

    def _usage(self, headers: Mapping[str, str]) -> Usage | None:
        names = self._mapped.usage
        if names is None:
            return None
        left, allowed = headers.get(names.remaining) or "", headers.get(names.allowed) or ""
        return Usage(int(left), int(allowed), float(names.window)) if left.isdecimal() and allowed.isdecimal() and int(allowed) else None


def _filled(templates: Mapping[str, Any], values: Values) -> Params:
    return {name: value for name, template in templates.items() if (value := _shown(template.fill(values))) is not None}


def _shown(value: Any) -> Any:
    """As it stands in a query."""
    return str(value).lower() if isinstance(value, bool) else value
