"""Who Caseline is to Zendesk: an API token or an access token, which stand until somebody revokes them, or an OAuth client, whose tokens are renewed."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from caseline.crm._http import HttpApi
from caseline.crm.zendesk._errors import error_of
from caseline.errors import ConfigError, CrmAuthError, CrmUnavailableError

WAYS = (("access_token",), ("email", "api_token"), ("client_id", "client_secret"))
PATH, SCOPE = "/oauth/tokens", "read write"
LASTING, EARLY = 86_400, timedelta(seconds=60)


class Login:
    """`secret` is {email, api_token}, {client_id, client_secret} or {access_token}."""

    def __init__(self, http: HttpApi, secret: Mapping[str, Any], clock: Callable[[], datetime]) -> None:
        self._http, self._secret, self._clock, self._lock = http, _checked(secret), clock, Lock()
        self._header, self._until = _standing(self._secret), None  # type: tuple[str, datetime | None]

    def header(self, refused: str = "") -> str:
        """The Authorization at hand; another one if it is the `refused` one or has run out. Threads that were refused alike log in once."""
        with self._lock:
            if not self._header or self._header == refused or (self._until and self._clock() >= self._until):
                self._log_in()
            return self._header

    def _log_in(self) -> None:
        if "client_id" not in self._secret:
            raise CrmAuthError("Zendesk refuses the token; put the present one into the secret")
        body = {"grant_type": "client_credentials", **self._secret, "scope": SCOPE, "expires_in": LASTING}
        answer = self._http.call("POST", PATH, body=body)
        if answer.status in (400, 401, 403):
            raise CrmAuthError(f"Zendesk answered {answer.status} to the login")
        if answer.status not in (200, 201):
            raise error_of(answer)
        token, seconds = answer.object().get("access_token"), answer.object().get("expires_in")
        if not isinstance(token, str) or not token:
            raise CrmUnavailableError("Zendesk answered a login without a token")
        self._header, self._until = f"Bearer {token}", self._clock() + timedelta(seconds=seconds if isinstance(seconds, int) else LASTING) - EARLY


def _standing(secret: Mapping[str, str]) -> str:
    if "access_token" in secret:
        return f"Bearer {secret['access_token']}"
    if "api_token" in secret:
        return "Basic " + b64encode(f"{secret['email']}/token:{secret['api_token']}".encode()).decode()
    return ""


def _checked(secret: Mapping[str, Any]) -> dict[str, str]:
    for names in WAYS:
        if all(isinstance(secret.get(name), str) and secret[name] for name in names):
            return {name: secret[name] for name in names}
    raise ConfigError("the secret of crm zendesk lacks email and api_token, or client_id and client_secret, or access_token")
