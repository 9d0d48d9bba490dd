"""Tokens: a private app's, which stands until somebody rotates it, or OAuth's, which are refreshed every half hour."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import quote

from caseline.crm._http import Answer, HttpApi
from caseline.crm.hubspot._errors import error_of
from caseline.errors import ConfigError, CrmAuthError, CrmUnavailableError

PRIVATE_ABOUT, OAUTH_ABOUT = "/oauth/v2/private-apps/get/access-token-info", "/oauth/v1/access-tokens/"
EARLY = timedelta(seconds=60)
OAUTH = ("client_id", "client_secret", "refresh_token")


@dataclass(frozen=True)
class About:
    """What a token is for: the portal, the app, its scopes."""

    portal_id: str
    app_id: str
    scopes: frozenset[str]


class Login:
    """`secret` is {access_token} of a private app, or {client_id, client_secret, refresh_token} of an OAuth app."""

    def __init__(self, http: HttpApi, secret: Mapping[str, Any], token_path: str, clock: Callable[[], datetime]) -> None:
        self._http, self._secret, self._path, self._clock = http, _checked(secret), token_path, clock
        self._token, self._until, self._lock = self._secret.get("access_token", ""), None, Lock()  # type: tuple[str, datetime | None, Lock]
        self._about: About | None = None

    def token(self, refused: str = "") -> str:
        """The token at hand; another one if it is the `refused` one or has run out. Threads that were refused the same token log in once."""
        with self._lock:
            if not self._token or self._token == refused or (self._until and self._clock() >= self._until):
                self._log_in()
            return self._token

    def about(self) -> About:
        """Asked once; CrmError where HubSpot does not say."""
        if self._about is None:
            self._about = self._ask(self.token())
        return self._about

    def _log_in(self) -> None:
        if "access_token" in self._secret:
            raise CrmAuthError("HubSpot refuses the private app's access token; put the present one into the secret")
        answer = self._http.call("POST", self._path, form={"grant_type": "refresh_token", **self._secret})
        if answer.status != 200:
            raise _refusal(answer)
        body = answer.object()
        if not isinstance(body.get("access_token"), str) or not body["access_token"]:
            raise CrmUnavailableError("HubSpot answered a login without a token")
        seconds = body.get("expires_in")
        self._token, self._until = body["access_token"], self._clock() + timedelta(seconds=seconds if isinstance(seconds, int) else 1_800) - EARLY

    def _ask(self, token: str) -> About:
        if "access_token" in self._secret:
            answer = self._http.call("POST", PRIVATE_ABOUT, body={"tokenKey": token})
        else:
            answer = self._http.call("GET", f"{OAUTH_ABOUT}{quote(token, safe='')}")
        if answer.status != 200:
            raise error_of(answer)
        body = answer.object()
        portal, app = body.get("hubId", body.get("hub_id", "")), body.get("appId", body.get("app_id", ""))
        return About(str(portal), str(app), frozenset(map(str, body.get("scopes") or ())))


def _checked(secret: Mapping[str, Any]) -> dict[str, str]:
    needed = ("access_token",) if secret.get("access_token") else OAUTH
    missing = [name for name in needed if not isinstance(secret.get(name), str) or not secret[name]]
    if missing:
        raise ConfigError(f"the secret of crm hubspot lacks access_token, or {', '.join(missing)}")
    return {name: secret[name] for name in needed}


def _refusal(answer: Answer) -> Exception:
    """400 is what HubSpot answers to a wrong client or refresh token."""
    status = re.sub(r"\W", "", str(answer.object().get("status") or ""))[:60]
    return CrmAuthError(f"HubSpot refused the login: {status or answer.status}") if answer.status in (400, 401, 403) else answer.error(status)
