"""How we prove who we are: a token of OAuth, or Basic credentials with each call."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.crm._http import HttpApi
from caseline.crm._tokens import Tokens, fetch_token, secret_texts

CLIENT, PERSON = ("client_id", "client_secret"), ("username", "password")


class Login:
    """`secret` is {client_id, client_secret}, the same with {username, password} for the password grant, or {username, password} alone for Basic."""

    def __init__(self, http: HttpApi, secret: Mapping[str, Any], path: str, clock: Callable[[], datetime]) -> None:
        self._http, self._path, self._secret = http, path, secret_texts(secret, "servicenow", (*CLIENT, *PERSON), CLIENT, PERSON)
        self._tokens = Tokens(self._fetch, clock)
        self.user, self.is_basic = self._secret.get("username", ""), "client_id" not in self._secret

    def header(self, refused: str = "") -> str:
        """The Authorization header; another one than the `refused` one where there can be."""
        if not self.is_basic:
            return f"Bearer {self._tokens.token(refused.removeprefix('Bearer '))}"
        return "Basic " + base64.b64encode(f"{self._secret['username']}:{self._secret['password']}".encode()).decode()

    def _fetch(self) -> tuple[str, int]:
        grant = "password" if self.user else "client_credentials"
        return fetch_token(self._http, "ServiceNow", self._path, {"grant_type": grant, **self._secret})
