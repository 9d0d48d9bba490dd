"""HTTP to a CRM: one host, total deadline, capped answers, no redirects, and one table from status to error class.

Nothing here retries or sleeps: a function that waits is paid for, the state machine retries by the class of the error.
Exceptions name the CRM and the status only: URLs and bodies hold customers' addresses and tokens.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from caseline.errors import (
    ConfigError,
    CrmAuthError,
    CrmConflictError,
    CrmError,
    CrmForbiddenError,
    CrmNotFoundError,
    CrmRateLimitError,
    CrmRejectedError,
    CrmUnavailableError,
)
from caseline.limits import parse_retry_after

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_PIECE = 65_536
_BY_STATUS: Mapping[int, type[CrmError]] = {
    401: CrmAuthError,
    403: CrmForbiddenError,
    404: CrmNotFoundError,
    408: CrmUnavailableError,
    409: CrmConflictError,
    410: CrmNotFoundError,
    412: CrmConflictError,
    423: CrmConflictError,
    425: CrmUnavailableError,
    429: CrmRateLimitError,
}
_BY_HUNDRED: Mapping[int, type[CrmError]] = {3: CrmUnavailableError, 4: CrmRejectedError, 5: CrmUnavailableError}


@dataclass(frozen=True)
class Limits:
    """Seconds to connect, between two pieces of an answer, and in all; bytes of an answer."""

    connect: float = 5.0
    read: float = 15.0
    total: float = 25.0
    max_bytes: int = 5_000_000


@dataclass(frozen=True)
class Answer:
    """`headers` are looked up without regard to case; `retry_after` is in seconds where the CRM gave one."""

    crm: str
    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    retry_after: float | None = None

    def json(self) -> Any:
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            raise CrmUnavailableError(f"{self.crm} answered {self.status} with what is not JSON") from None

    def object(self) -> Mapping[str, Any]:
        """An empty one where it is anything else: an outage answers with a page of HTML, and then the status alone counts."""
        try:
            body = self.json()
        except CrmUnavailableError:
            return {}
        return body if isinstance(body, Mapping) else {}

    def error(self, detail: str = "", field_name: str = "") -> CrmError:
        """The error that this status stands for."""
        kind = _BY_STATUS.get(self.status) or _BY_HUNDRED.get(self.status // 100, CrmUnavailableError)
        return make_error(kind, f"{self.crm} answered {self.status}{f' {detail}' if detail else ''}", field_name, self.retry_after)


def make_error(kind: type[CrmError], message: str, field_name: str = "", retry_after: float | None = None) -> CrmError:
    if issubclass(kind, CrmRejectedError):
        return kind(message, field_name)
    if issubclass(kind, CrmRateLimitError) and retry_after is not None:
        return kind(message, retry_after)
    if issubclass(kind, CrmUnavailableError) and retry_after is not None:
        return kind(message, retry_after=retry_after)
    return kind(message)


class HttpApi:
    """Calls to one configured host. `session` is a requests session; `monotonic` measures deadlines, `clock` tells the time."""

    def __init__(
        self, crm: str, base_url: str, session: Any = None, limits: Limits = Limits(), monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self.base_url = check_base_url(crm, base_url)
        self._crm, self._session, self._limits, self._monotonic, self._clock = crm, session or requests.Session(), limits, monotonic, clock

    def call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, params: Any = None, form: Any = None, body: Any = None) -> Answer:
        """One request, one answer of any status; a redirect is not followed. CrmUnavailableError if none comes in time."""
        if not path.startswith("/") or path.startswith("//"):
            raise CrmUnavailableError(f"{self._crm} named an address outside its host")
        sent = {"Accept": "application/json", **(headers or {})}
        if body is not None:
            form, sent["Content-Type"] = json.dumps(body, allow_nan=False).encode(), "application/json"
        started = self._monotonic()
        try:
            return self._answer(self._send(method, path, sent, params, form), started)
        except (requests.RequestException, HTTPError, OSError) as error:
            # The library's own text holds the URL with the query in it.
            raise CrmUnavailableError(f"{self._crm} did not answer: {type(error).__name__}") from None

    def _send(self, method: str, path: str, headers: Mapping[str, str], params: Any, data: Any) -> Any:
        return self._session.request(
            method, self.base_url + path, headers=dict(headers), params=params, data=data, timeout=(self._limits.connect, self._limits.read),
            stream=True, allow_redirects=False, auth=_keep_headers,
        )  # fmt: skip

    def _answer(self, response: Any, started: float) -> Answer:
        with response:
            content = self._read(response, started)
        retry_after = parse_retry_after(response.headers.get("Retry-After"), self._clock())
        return Answer(self._crm, response.status_code, response.headers, content, retry_after)

    def _read(self, response: Any, started: float) -> bytes:
        """Piece by piece as they arrive: a drip that keeps the socket alive still ends at the deadline."""
        content = bytearray()
        while piece := response.raw.read1(_PIECE, decode_content=True):
            content += piece
            if len(content) > self._limits.max_bytes:
                raise CrmUnavailableError(f"{self._crm} answered more than {self._limits.max_bytes} bytes")
            if self._monotonic() - started > self._limits.total:
                raise CrmUnavailableError(f"{self._crm} took longer than {self._limits.total:g} s")
        return bytes(content)


def check_base_url(crm: str, url: str) -> str:
    """`https://host`, or plain http to this machine; ConfigError otherwise."""
    parts = urlsplit(url)
    if not parts.hostname or parts.username or parts.query or parts.fragment or parts.path.strip("/"):
        raise ConfigError(f"crm.settings.instance_url of {crm}: write https://host")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ConfigError(f"crm.settings.instance_url of {crm}: write https://, plain http goes to this machine only")
    return f"{parts.scheme}://{parts.netloc}"


def _keep_headers(request: Any) -> Any:
    """Given as `auth` so that requests does not put credentials of a .netrc in place of ours."""
    return request
