"""The certificates that Amazon SNS signs with: from a source's settings, else fetched once from AWS's own host."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from caseline.errors import SignatureError

_ADDRESS = re.compile(r"https://sns\.[a-z]{2}(?:-[a-z0-9]{1,12}){2,3}\.amazonaws\.com(?:\.cn)?/SimpleNotificationService-[A-Za-z0-9-]{1,64}\.pem\Z")
_SIZE, _SECONDS = 20_000, 3
_KEPT = 20
_PAUSE = timedelta(seconds=30)  # between two fetches: a stranger cannot make us call AWS for each request
Fetch = Callable[[str], str]


class CertificateShelf:
    """Certificates by address, kept as long as the process lives; AWS gives a new one a new address."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._kept: dict[str, str] = {}
        self._fetched: datetime | None = None

    def find(self, address: Any, known: Mapping[str, str], now: datetime) -> str:
        """The PEM. The address must be AWS's own, also where the settings hold it."""
        if not isinstance(address, str) or not _ADDRESS.match(address):
            raise SignatureError("the certificate's address is not that of Amazon SNS")
        found = known.get(address) or self._kept.get(address)
        return str(found) if found else self._get(address, now)

    def _get(self, address: str, now: datetime) -> str:
        if len(self._kept) >= _KEPT or (self._fetched and abs(now - self._fetched) < _PAUSE):
            raise SignatureError("the certificate is not known, and one was fetched a moment ago")
        self._fetched = now
        self._kept[address] = self._fetch(address)
        return self._kept[address]


def fetch_certificate(address: str) -> str:
    """By https, without redirects. The address has been checked."""
    from http.client import HTTPException, HTTPSConnection
    from urllib.parse import urlsplit

    parts = urlsplit(address)
    connection = HTTPSConnection(parts.netloc, timeout=_SECONDS)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        content = answer.read(_SIZE)
    except (OSError, HTTPException) as error:
        raise SignatureError("the certificate could not be fetched") from error
    finally:
        connection.close()
    if answer.status != 200 or b"BEGIN CERTIFICATE" not in content:
        raise SignatureError("there is no certificate at its address")
    return content.decode("ascii", "replace")
