"""Outbound HTTP to named hosts only: https, no redirects, a deadline for the whole answer, a cap on its size, and no call that a host does not want.

A host that says it was asked often enough is not asked again: the error tells for how long.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from caseline.errors import UnavailableError
from caseline.limits import read_wait

CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS = 3.05, 10.0, 30.0
MAX_ANSWER = 8_000_000  # bytes
_PIECE = 65_536


@dataclass(frozen=True)
class Answer:
    status_code: int
    headers: Mapping[str, str]
    content: bytes


def _read_nothing(bucket: str, key: str) -> bytes:
    raise UnavailableError("objects cannot be read here")


class Session:
    """`request` is that of requests, as far as it goes; `now` is the clock; `read(bucket, key)` gives an object of S3, where one is needed."""

    def __init__(
        self, hosts: Collection[str], now: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic,
        read: Callable[[str, str], bytes] = _read_nothing,
    ) -> None:
        self.read = read
        self._hosts, self.now, self._monotonic, self._session = frozenset(hosts), now, monotonic, requests.Session()
        self._session.trust_env = False
        self._waits: dict[str, float] = {}  # seconds, by host

    def request(self, method: str, url: str, **options: Any) -> Answer:
        """One request, one answer of any status but 429; UnavailableError if none comes in time, or if the host wants to be left alone."""
        parts = urlsplit(url)
        if parts.scheme != "https" or parts.netloc not in self._hosts:
            raise UnavailableError(f"{parts.hostname} is not a host this channel may call")
        self._refuse_limited(parts.netloc)
        answer = self._ask(method, url, options)
        wait = read_wait(answer.status_code, answer.headers, self.now())
        if wait is not None:
            self._waits[parts.netloc] = wait
        if answer.status_code == 429 or answer.status_code >= 500:
            self._refuse_limited(parts.netloc)
        return answer

    def _refuse_limited(self, host: str) -> None:
        if host in self._waits:
            raise UnavailableError(f"{host} wants to be left alone for now", self._waits[host])

    def _ask(self, method: str, url: str, options: Any) -> Answer:
        end = self._monotonic() + TOTAL_SECONDS
        try:
            with self._session.request(method, url, timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False, stream=True, **options) as response:
                return Answer(response.status_code, response.headers, self._read(response, end))
        except (requests.RequestException, HTTPError, OSError) as error:
            raise UnavailableError(f"{urlsplit(url).hostname} did not answer: {type(error).__name__}") from error

    def _read(self, response: requests.Response, end: float) -> bytes:
        """Piece by piece as they arrive: a drip that keeps the connection alive still ends at the deadline."""
        content = bytearray()
        while piece := response.raw.read1(_PIECE, decode_content=True):
            content += piece
            if len(content) > MAX_ANSWER or self._monotonic() > end:
                raise UnavailableError("the answer is too large or too slow")
        return bytes(content)
