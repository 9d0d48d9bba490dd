"""An OpenID Connect provider of our own, as small as one can be: keys, metadata, codes that work once, and every wrong token one asks for."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
from caseline.errors import UnavailableError
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ISSUER, CLIENT, SECRET = "https://login.acme.example", "console", "the client's secret"
NOW = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)


@cache
def make_key(kind: str, name: str) -> Any:
    """Made once for each name: RSA keys take a while."""
    return rsa.generate_private_key(65537, 2048) if kind == "RS256" else ec.generate_private_key(ec.SECP256R1())


class OidcProvider:
    """`fetch` is what the relying party calls instead of HTTP; `authorize` is what a browser and a person would do."""

    def __init__(self, **metadata: str) -> None:
        self.keys = {"key-1": ("RS256", make_key("RS256", "one"))}
        self.metadata = {
            "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/authorize", "token_endpoint": f"{ISSUER}/token", "jwks_uri": f"{ISSUER}/keys", **metadata,
        }  # fmt: skip
        self.fetched: list[str] = []
        self.down = False
        self._codes: dict[str, dict[str, str]] = {}

    def fetch(self, url: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
        self.fetched.append(url)
        if self.down:
            raise UnavailableError("the issuer did not answer")
        path = urlsplit(url).path
        if path.endswith("/.well-known/openid-configuration"):
            return dict(self.metadata)
        return {"/keys": self._show_keys, "/token": lambda: self._redeem(form or {})}[path]()

    def token(self, key: str = "key-1", headers: Mapping[str, Any] | None = None, **claims: Any) -> str:
        algorithm, private = self.keys[key]
        return jwt.encode(good_claims() | claims, private, algorithm=algorithm, headers={"kid": key, **(headers or {})})

    def authorize(self, url: str, email: str = "ana@acme.example") -> dict[str, str]:
        """Sign in; the query that comes back to the callback."""
        asked = dict(parse_qsl(urlsplit(url).query))
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256" and "openid" in asked["scope"]
        code = f"code-{len(self._codes)}"
        self._codes[code] = {**asked, "email": email}
        return {"code": code, "state": asked["state"]}

    def _redeem(self, form: Mapping[str, str]) -> dict[str, Any]:
        asked = self._codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        if not asked or challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"] or form["client_secret"] != SECRET:
            raise UnavailableError("the issuer did not answer: HTTPError")
        return {"token_type": "Bearer", "id_token": self.token(nonce=asked["nonce"], email=asked["email"])}

    def _show_keys(self) -> dict[str, Any]:
        return {"keys": [{**_public(algorithm, key), "kid": name, "use": "sig", "alg": algorithm} for name, (algorithm, key) in self.keys.items()]}


def good_claims() -> dict[str, Any]:
    now = int(NOW.timestamp())
    return {"iss": ISSUER, "aud": CLIENT, "sub": "u-1", "email": "ana@acme.example", "roles": ["agent"], "iat": now - 10, "exp": now + 3600}


def _public(algorithm: str, key: Any) -> dict[str, Any]:
    encoder = {"RS256": jwt.algorithms.RSAAlgorithm, "ES256": jwt.algorithms.ECAlgorithm}[algorithm]
    return dict(encoder.to_jwk(key.public_key(), as_dict=True))
