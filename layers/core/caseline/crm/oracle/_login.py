"""How we prove who we are: a token of the identity domain, or Basic credentials with each call."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.crm._http import HttpApi
from caseline.crm._tokens import Tokens, fetch_token, secret_texts
from caseline.crm.oracle._settings import Settings

CLIENT, PERSON = ("client_id", "client_secret"), ("username", "password")


class Login:
    """`secret` is {client_id, client_secret}, or {username, password} for Basic. `connect` gives HTTP to a host."""

    def __init__(self, connect: Callable[[str], HttpApi], secret: Mapping[str, Any], settings: Settings, clock: Callable[[], datetime]) -> None:
        self._secret, self._settings = secret_texts(secret, "oracle", CLIENT, PERSON), settings
        self.user, self.is_basic = self._secret.get("username", ""), "client_id" not in self._secret
        self._http = None if self.is_basic else connect(settings.login_url)
        self._tokens = Tokens(self._fetch, clock)

    def header(self, refused: str = "") -> str:
        """The Authorization header; another one than the `refused` one where there can be."""
        if not self.is_basic:
            return f"Bearer {self._tokens.token(refused.removeprefix('Bearer '))}"
        return _basic(*(self._secret[name] for name in PERSON))

    def _fetch(self) -> tuple[str, int]:
        assert self._http
        form = {"grant_type": "client_credentials", "scope": self._settings.scope}
        headers = {"Authorization": _basic(*(self._secret[name] for name in CLIENT))}
        return fetch_token(self._http, "Oracle", self._settings.token_path, form, headers)


def _basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()
