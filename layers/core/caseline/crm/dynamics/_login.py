"""Tokens of Microsoft Entra by client credentials: a client secret, or a certificate that signs an assertion."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import quote as url_quote
from uuid import uuid4

from caseline.crm._http import Answer, HttpApi
from caseline.errors import ConfigError, CrmAuthError, CrmUnavailableError

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS, MARGIN = 300, timedelta(seconds=60)


class Login:
    """`secret` is {tenant_id, client_id, client_secret}, or {tenant_id, client_id, private_key (PEM), thumbprint (SHA-1 of the certificate, hex)}."""

    def __init__(self, http: HttpApi, secret: Mapping[str, Any], resource: str, clock: Callable[[], datetime]) -> None:
        self._http, self._secret, self._resource, self._clock = http, _checked(secret), resource, clock
        self._path = f"/{url_quote(self._secret['tenant_id'], safe='')}/oauth2/v2.0/token"
        self._token, self._until, self._lock = "", clock(), Lock()

    def token(self, refused: str = "") -> str:
        """The token at hand; another one if it is the `refused` one or about to expire. Threads that were refused the same token log in once."""
        with self._lock:
            if not self._token or self._token == refused or self._clock() >= self._until:
                self._log_in()
            return self._token

    def _log_in(self) -> None:
        answer = self._http.call("POST", self._path, form=self._form())
        if answer.status != 200:
            raise _refusal(answer)
        body = answer.json()
        token = body.get("access_token") if isinstance(body, Mapping) else None
        if not token or not isinstance(token, str):
            raise CrmUnavailableError("Microsoft Entra answered a login without a token")
        seconds = body.get("expires_in")
        self._token, self._until = token, self._clock() + timedelta(seconds=seconds if isinstance(seconds, int) else 600) - MARGIN

    def _form(self) -> dict[str, str]:
        form = {"grant_type": "client_credentials", "client_id": self._secret["client_id"], "scope": f"{self._resource}/.default"}
        if "private_key" in self._secret:
            return {**form, "client_assertion_type": ASSERTION, "client_assertion": self._assertion()}
        return {**form, "client_secret": self._secret["client_secret"]}

    def _assertion(self) -> str:
        import jwt  # cryptography is heavy: only organisations that use a certificate pay for it

        now, client = int(self._clock().timestamp()), self._secret["client_id"]
        claims = {"iss": client, "sub": client, "aud": self._http.base_url + self._path, "jti": str(uuid4()), "nbf": now, "exp": now + ASSERTION_SECONDS}
        try:
            thumbprint = urlsafe_b64encode(bytes.fromhex(self._secret["thumbprint"].replace(":", ""))).decode().rstrip("=")
            return jwt.encode(claims, self._secret["private_key"], algorithm="RS256", headers={"x5t": thumbprint})
        except (ValueError, TypeError, jwt.PyJWTError):
            raise CrmAuthError("the secret's private_key is not an RSA key in PEM, or its thumbprint is not hex") from None


def _checked(secret: Mapping[str, Any]) -> Mapping[str, str]:
    proof = ("private_key", "thumbprint") if secret.get("private_key") else ("client_secret",)
    needed = ("tenant_id", "client_id", *proof)
    missing = [name for name in needed if not isinstance(secret.get(name), str) or not secret[name]]
    if missing:
        raise ConfigError(f"the secret of crm dynamics lacks {', '.join(missing)}")
    return {name: secret[name] for name in needed}


def _refusal(answer: Answer) -> Exception:
    """The description names the application and the tenant and is left out; its AADSTS number says what is wrong."""
    text = answer.content[:4_000].decode("utf-8", "replace")
    code = next(iter(re.findall(r"AADSTS\d+", text)), str(answer.status))
    return CrmAuthError(f"Microsoft Entra refused the login: {code}") if answer.status in (400, 401, 403) else answer.error(code)
