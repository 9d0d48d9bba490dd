"""Tokens: client credentials or JWT bearer, kept until Salesforce refuses them (it tells no expiry)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Lock
from typing import Any

from caseline.crm._http import Answer, HttpApi
from caseline.errors import ConfigError, CrmAuthError, CrmUnavailableError

TOKEN_PATH = "/services/oauth2/token"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
JWT_SECONDS = 180


class Login:
    """`secret` is {client_id, client_secret}, or {client_id, username, private_key (PEM)} for JWT bearer. `user_id` is who we are, once logged in."""

    def __init__(self, http: HttpApi, secret: Mapping[str, Any], audience: str, clock: Callable[[], datetime]) -> None:
        self._http, self._secret, self._audience, self._clock = http, _checked(secret), audience, clock
        self._token, self._lock, self.user_id = "", Lock(), ""

    def token(self, refused: str = "") -> str:
        """The token at hand; another one if it is the `refused` one. Threads that were refused the same token log in once."""
        with self._lock:
            if not self._token or self._token == refused:
                self._token = self._log_in()
            return self._token

    def _log_in(self) -> str:
        answer = self._http.call("POST", TOKEN_PATH, form=self._form())
        if answer.status != 200:
            raise _refusal(answer)
        body = answer.json()
        token = body.get("access_token") if isinstance(body, Mapping) else None
        if not token or not isinstance(token, str):
            raise CrmUnavailableError("Salesforce answered a login without a token")
        self.user_id = str(body.get("id") or "").rpartition("/")[2]
        return token

    def _form(self) -> dict[str, str]:
        if "private_key" in self._secret:
            return {"grant_type": JWT_GRANT, "assertion": self._assertion()}
        return {"grant_type": "client_credentials", "client_id": self._secret["client_id"], "client_secret": self._secret["client_secret"]}

    def _assertion(self) -> str:
        import jwt  # cryptography is heavy: only orgs that use JWT bearer pay for it

        claims = {"iss": self._secret["client_id"], "sub": self._secret["username"], "aud": self._audience, "exp": int(self._clock().timestamp()) + JWT_SECONDS}
        try:
            return jwt.encode(claims, self._secret["private_key"], algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError):
            raise CrmAuthError("the secret's private_key is not an RSA key in PEM") from None


def _checked(secret: Mapping[str, Any]) -> Mapping[str, str]:
    needed = ("client_id", "username", "private_key") if secret.get("private_key") else ("client_id", "client_secret")
    missing = [name for name in needed if not isinstance(secret.get(name), str) or not secret[name]]
    if missing:
        raise ConfigError(f"the secret of crm salesforce lacks {', '.join(missing)}")
    return {name: secret[name] for name in needed}


def _refusal(answer: Answer) -> Exception:
    """400 is what OAuth answers to wrong credentials; its description may quote the user's name and is left out."""
    try:
        body = answer.json()
    except CrmUnavailableError:
        body = {}
    code = re.sub(r"\W", "", str(body.get("error", "")))[:60] if isinstance(body, Mapping) else ""
    return CrmAuthError(f"Salesforce refused the login: {code or answer.status}") if answer.status in (400, 401, 403) else answer.error(code)
