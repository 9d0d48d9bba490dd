"""Who we are to SAP: a technical user with its CSRF token and cookies, or OAuth client credentials."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.crm import Usage
from caseline.crm._http import Answer, HttpApi
from caseline.crm._tokens import Tokens, fetch_token, secret_texts
from caseline.crm.sap._shape import Settings
from caseline.errors import CrmAuthError, CrmUnavailableError

CSRF, REQUIRED, FETCH = "x-csrf-token", "required", "fetch"
CSRF_SECONDS = 1_500
_COOKIE = re.compile(r"(?:^|,\s*)([!#$%&'*+.^_`|~\w-]+=[^;,]*)")


class Session:
    """`secret` is {user, password} of a technical user, or {client_id, client_secret}."""

    usage: Usage | None = None  # SAP does not tell

    def __init__(self, http: HttpApi, login: HttpApi, secret: Mapping[str, Any], settings: Settings, clock: Callable[[], datetime]) -> None:
        self._http, self._login, self._settings = http, login, settings
        self._secret = secret_texts(secret, "sap", ("user", "password"), ("client_id", "client_secret"))
        self._is_basic = "user" in self._secret
        self._tokens, self._csrf = Tokens(self._fetch_token, clock), Tokens(self._fetch_csrf, clock)
        self._needs_csrf = self._is_basic or settings.csrf == "always"

    @property
    def base_url(self) -> str:
        return self._http.base_url

    def call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **request: Any) -> Answer:
        """A call below the API's path, of any status. What was refused for its token or its CSRF token is sent once more with a fresh one."""
        token, csrf = self._token(), self._csrf.token() if self._needs_csrf and method != "GET" else ""
        answer = self._send(method, path, headers, token, csrf, request)
        if answer.status == 401 and not self._is_basic:
            token = self._tokens.token(refused=token)
        elif answer.status == 403 and (answer.headers.get(CSRF) or "").lower() == REQUIRED:
            self._needs_csrf, csrf = True, self._csrf.token(refused=csrf)
        else:
            return answer
        return self._send(method, path, headers, token, csrf, request)

    def _send(self, method: str, path: str, headers: Mapping[str, str] | None, token: str, csrf: str, request: Mapping[str, Any]) -> Answer:
        word, _, cookies = csrf.partition("\n")
        proof = {CSRF: word, **({"Cookie": cookies} if cookies else {})} if csrf else {}
        sent = {**self._settings.headers, **(headers or {}), **proof, "Authorization": token}
        return self._http.call(method, self._settings.api_path + path, headers=sent, **request)

    def _token(self) -> str:
        if not self._is_basic:
            return self._tokens.token()
        return "Basic " + b64encode(f"{self._secret['user']}:{self._secret['password']}".encode()).decode()

    def _fetch_token(self) -> tuple[str, int]:
        token, seconds = fetch_token(self._login, "SAP", self._settings.token_path, {"grant_type": "client_credentials", **self._secret})
        return f"Bearer {token}", seconds

    def _fetch_csrf(self) -> tuple[str, int]:
        """The token with the cookies of the session that it is good for."""
        answer = self._send("GET", self._settings.csrf_path, {CSRF: FETCH}, self._token(), "", {})
        if answer.status in (401, 403):
            raise CrmAuthError(f"SAP refused the login: {answer.status}")
        if answer.status >= 300:
            raise answer.error("to the login")
        word = answer.headers.get(CSRF) or ""
        if not word or word.lower() == REQUIRED:
            raise CrmUnavailableError("SAP answered a login without a CSRF token")
        return f"{word}\n{'; '.join(_COOKIE.findall(answer.headers.get('Set-Cookie') or ''))}", CSRF_SECONDS
