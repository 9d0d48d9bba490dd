"""Tokens of Microsoft Entra by client credentials: a client secret, or a certificate that signs an assertion."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote as url_quote
from uuid import uuid4

from caseline.crm._http import HttpApi
from caseline.crm._tokens import Tokens, fetch_token, secret_texts
from caseline.errors import CrmAuthError

ASSERTION, ASSERTION_SECONDS = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", 300
WHO, CERTIFICATE = ("tenant_id", "client_id"), ("private_key", "thumbprint")


class Login(Tokens):
    """`secret` is {tenant_id, client_id, client_secret}, or {tenant_id, client_id, private_key (PEM), thumbprint (SHA-1 of the certificate, hex)}."""

    def __init__(self, http: HttpApi, secret: Mapping[str, Any], resource: str, clock: Callable[[], datetime]) -> None:
        self._http, self._resource, self._now = http, resource, clock
        self._secret = secret_texts(secret, "dynamics", (*WHO, *CERTIFICATE), (*WHO, "client_secret"))
        self._path = f"/{url_quote(self._secret['tenant_id'], safe='')}/oauth2/v2.0/token"
        super().__init__(lambda: fetch_token(http, "Microsoft Entra", self._path, self._form()), clock)

    def _form(self) -> dict[str, str]:
        form = {"grant_type": "client_credentials", "client_id": self._secret["client_id"], "scope": f"{self._resource}/.default"}
        if "private_key" in self._secret:
            return {**form, "client_assertion_type": ASSERTION, "client_assertion": self._assertion()}
        return {**form, "client_secret": self._secret["client_secret"]}

    def _assertion(self) -> str:
        import jwt  # cryptography is heavy: only organisations that use a certificate pay for it

        now, client = int(self._now().timestamp()), self._secret["client_id"]
        claims = {"iss": client, "sub": client, "aud": self._http.base_url + self._path, "jti": str(uuid4()), "nbf": now, "exp": now + ASSERTION_SECONDS}
        try:
            thumbprint = urlsafe_b64encode(bytes.fromhex(self._secret["thumbprint"].replace(":", ""))).decode().rstrip("=")
            return jwt.encode(claims, self._secret["private_key"], algorithm="RS256", headers={"x5t": thumbprint})
        except (ValueError, TypeError, jwt.PyJWTError):
            raise CrmAuthError("the secret's private_key is not an RSA key in PEM, or its thumbprint is not hex") from None
