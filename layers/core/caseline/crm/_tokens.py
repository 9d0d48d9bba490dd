"""Tokens that run out: kept while they are good, fetched again once where they are refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from caseline.crm._http import HttpApi
from caseline.errors import ConfigError, CrmAuthError, CrmUnavailableError

EARLY, UNSAID = timedelta(seconds=60), 600
# Microsoft's number says more than the OAuth word beside it.
_CODES = (re.compile(r"\b(AADSTS[0-9]{1,9})\b"), re.compile(r'"error"\s*:\s*"([a-z_]{1,40})"'))


class Tokens:
    """`fetch` gives a token and for how many seconds it is good."""

    def __init__(self, fetch: Callable[[], tuple[str, int]], clock: Callable[[], datetime]) -> None:
        self._fetch, self._clock = fetch, clock
        self._token, self._until, self._lock = "", clock(), Lock()

    def token(self, refused: str = "") -> str:
        """The token at hand; another one if it is the `refused` one or about to run out. Threads that were refused the same token log in once."""
        with self._lock:
            if not self._token or self._token == refused or self._clock() >= self._until:
                self._token, seconds = self._fetch()
                self._until = self._clock() + timedelta(seconds=seconds) - EARLY
            return self._token


def fetch_token(http: HttpApi, crm: str, path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> tuple[str, int]:
    """By an OAuth token endpoint. CrmAuthError where the credentials are refused."""
    answer = http.call("POST", path, form=dict(form), headers=headers)
    if answer.status in (400, 401, 403):
        text = answer.content[:2_000].decode("utf-8", "replace")
        found = next(filter(None, (code.search(text) for code in _CODES)), None)
        raise CrmAuthError(f"{crm} refused the login: {found[1] if found else answer.status}")
    if answer.status != 200:
        raise answer.error("to the login")
    body = answer.json()
    token = body.get("access_token") if isinstance(body, Mapping) else None
    if not isinstance(token, str) or not token:
        raise CrmUnavailableError(f"{crm} answered a login without a token")
    seconds = body.get("expires_in")
    return token, int(seconds) if str(seconds).isdecimal() else UNSAID


def secret_texts(secret: Mapping[str, Any], crm: str, *ways: tuple[str, ...]) -> dict[str, str]:
    """What the first way of logging in that the secret has needs; ConfigError where it has none whole."""
    for names in ways:
        if all(isinstance(secret.get(name), str) and secret[name] for name in names):
            return {name: secret[name] for name in names}
    raise ConfigError(f"the secret of crm {crm} lacks {' or '.join(' and '.join(names) for names in ways)}")
