"""How we prove who we are, by the kind of login that the mapping names."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.crm._http import HttpApi
from caseline.crm._mapped._mapping import Login as Kind
from caseline.crm._tokens import Tokens, fetch_token, secret_texts

NEEDED = {
    "bearer": ("token",), "header": ("token",), "basic": ("username", "password"), "oauth": ("client_id", "client_secret"), "none": (),
}  # fmt: skip


class Login:
    def __init__(self, http: HttpApi, kind: Kind, secret: Mapping[str, Any], crm: str, prefix: str, clock: Callable[[], datetime]) -> None:
        self._http, self._kind, self._crm, self._prefix = http, kind, crm, prefix
        self._secret = secret_texts(secret, crm, NEEDED[kind.kind])
        self._tokens = Tokens(self._fetch, clock)

    @property
    def is_renewable(self) -> bool:
        return self._kind.kind == "oauth"

    def headers(self, refused: Mapping[str, str] | None = None) -> dict[str, str]:
        """Other ones than the `refused`, where there can be others."""
        kind, secret = self._kind.kind, self._secret
        if kind == "oauth":
            return {"Authorization": f"Bearer {self._tokens.token((refused or {}).get('Authorization', '').removeprefix('Bearer '))}"}
        if kind == "basic":
            return {"Authorization": "Basic " + base64.b64encode(f"{secret['username']}:{secret['password']}".encode()).decode()}
        if kind == "none":
            return {}
        return {"Authorization": f"Bearer {secret['token']}"} if kind == "bearer" else {self._kind.header: secret["token"]}

    def _fetch(self) -> tuple[str, int]:
        scope = {"scope": self._kind.scope} if self._kind.scope else {}
        return fetch_token(self._http, self._crm, self._prefix + self._kind.path, {"grant_type": "client_credentials", **self._secret, **scope})
