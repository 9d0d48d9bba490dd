"""Tokens: a private app's, which stands until somebody rotates it, or OAuth's, which are refreshed every half hour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from caseline.crm._http import HttpApi
from caseline.crm._tokens import Tokens, fetch_token, secret_texts
from caseline.crm.hubspot._errors import error_of
from caseline.errors import CrmAuthError

PRIVATE_ABOUT, OAUTH_ABOUT = "/oauth/v2/private-apps/get/access-token-info", "/oauth/v1/access-tokens/"
PRIVATE, OAUTH = ("access_token",), ("client_id", "client_secret", "refresh_token")
FOR_GOOD = 1_000_000_000


@dataclass(frozen=True)
class About:
    """What a token is for: the portal, the app, its scopes."""

    portal_id: str
    app_id: str
    scopes: frozenset[str]


class Login:
    """`secret` is {access_token} of a private app, or {client_id, client_secret, refresh_token} of an OAuth app."""

    def __init__(self, http: HttpApi, secret: Mapping[str, Any], token_path: str, clock: Callable[[], datetime]) -> None:
        self._http, self._secret, self._path = http, secret_texts(secret, "hubspot", PRIVATE, OAUTH), token_path
        self._tokens, self._given = Tokens(self._fetch, clock), False
        self._about: About | None = None

    def token(self, refused: str = "") -> str:
        return self._tokens.token(refused)

    def about(self) -> About:
        """Asked once; CrmError where HubSpot does not say."""
        if self._about is None:
            self._about = self._ask(self.token())
        return self._about

    def _fetch(self) -> tuple[str, int]:
        if "access_token" not in self._secret:
            return fetch_token(self._http, "HubSpot", self._path, {"grant_type": "refresh_token", **self._secret})
        if self._given:
            raise CrmAuthError("HubSpot refuses the private app's access token; put the present one into the secret")
        self._given = True
        return self._secret["access_token"], FOR_GOOD

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
